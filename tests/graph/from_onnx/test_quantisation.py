"""Pairs of QuantizeLinear and DequantizeLinear: one operator; and weights that stay integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

from gossamer.graph import Dense, Graph, Quantised, interpret, ops
from gossamer.graph.from_onnx import from_onnx
from gossamer.graph.to_onnx import to_onnx
from tests.graph.from_onnx.conftest import make_model, node, run_onnx

RNG = np.random.default_rng(7)
BYTES = RNG.integers(-127, 128, (6, 4, 3, 3)).astype(np.int8)
SCALES = RNG.uniform(0.01, 0.02, 6).astype(np.float32)
X = {"xs": np.float32(0.03), "xz": np.uint8(120)}
W = {"w": BYTES, "ws": SCALES, "wz": np.zeros(6, np.int8)}
PAIR = [node("QuantizeLinear", "x xs xz", "xq"), node("DequantizeLinear", "xq xs xz", "xr")]
WEIGHT = node("DequantizeLinear", "w ws wz", "wr", axis=0)


def agrees(model: ModelProto) -> Graph:
    """Read a model and compare it with ONNX Runtime, exactly but for what sums are rounded to."""
    graph = from_onnx(model)
    x = (2 * RNG.standard_normal(graph.input.example)).astype(np.float32)
    expected = run_onnx(model, x)
    np.testing.assert_allclose(interpret(graph, x), expected, rtol=1e-5, atol=1e-5)
    return graph


@pytest.mark.parametrize(
    ("zero", "low", "high"),
    [(np.uint8(120), 0, 255), (np.int8(-5), -128, 127), (np.int8(0), -128, 127)],
)
def test_a_pair_is_one_operator(zero: np.generic, low: int, high: int) -> None:
    graph = agrees(make_model([*PAIR, node("Relu", "xr")], {"xs": X["xs"], "xz": np.array(zero)}))
    op = ops.Quantise(float(np.float32(0.03)), int(zero), low, high)
    assert [n.op for n in graph.nodes] == [op, ops.Activation("relu")]


def test_without_a_zero_point_levels_are_uint8() -> None:
    nodes = [node("QuantizeLinear", "x xs", "q"), node("DequantizeLinear", "q xs")]
    graph = agrees(make_model(nodes, {"xs": X["xs"]}))
    assert graph.nodes[0].op == ops.Quantise(float(np.float32(0.03)), 0, 0, 255)


def test_a_convolution_keeps_its_integers() -> None:
    bias = {"b": RNG.integers(-(2**20), 2**20, 6).astype(np.int32), "bs": X["xs"] * SCALES}
    nodes = [
        *PAIR,
        WEIGHT,
        node("DequantizeLinear", "b bs", "br", axis=0),
        node("Conv", "xr wr br", "c"),
        node("Relu", "c"),
    ]
    graph = agrees(make_model(nodes, X | W | bias))
    assert [n.op.kind for n in graph.nodes] == ["quantise", "conv2d"]
    assert graph.weights["w"] == Quantised(BYTES, SCALES)
    assert graph.weights["b"] == Dense(bias["b"].astype(np.float32) * bias["bs"])


@pytest.mark.parametrize("scales", [np.float32(0.01), np.float32([0.01])])
def test_one_scale_for_the_whole_weight(scales: np.ndarray) -> None:
    zero = np.zeros(scales.shape, np.int8)
    nodes = [node("DequantizeLinear", "w ws wz", "wr"), node("Conv", "x wr")]
    graph = agrees(make_model(nodes, {"w": BYTES, "ws": scales, "wz": zero}))
    assert graph.weights["w"] == Quantised(BYTES, np.full(6, 0.01))


@pytest.mark.parametrize(
    ("nodes", "axis"),
    [
        ([node("MatMul", "f wr")], 1),
        ([node("Gemm", "f wr")], 1),
        ([node("Transpose", "wr", "wt", perm=[1, 0]), node("Gemm", "f wt", transB=1)], 1),
        ([node("Gemm", "f wr", transB=1)], 0),
        ([node("Identity", "wr", "wi"), node("Gemm", "f wi", transB=1)], 0),
    ],
)
def test_a_matrix_keeps_its_integers(nodes: list, axis: int) -> None:
    matrix = RNG.integers(-8, 8, (120, 6) if axis else (6, 120)).astype(np.int8)
    real = node("DequantizeLinear", "w ws wz", "wr", axis=axis)
    model = make_model([node("Flatten", "x", "f"), real, *nodes], W | {"w": matrix})
    graph = agrees(model)
    (weight,) = graph.weights.values()
    assert weight == Quantised(matrix.T if axis else matrix, SCALES)
    assert isinstance(weight, Quantised)
    assert weight.bits == 4


@pytest.mark.parametrize("zero", [128, 100])
def test_a_zero_point_of_weights_is_taken_off_if_bytes_still_hold_them(zero: int) -> None:
    arrays = {
        "w": (BYTES.astype(int) + 128).clip(1, 255).astype(np.uint8),
        "ws": np.float32(0.01),
        "wz": np.array(zero, np.uint8),
    }
    nodes = [node("DequantizeLinear", "w ws wz", "wr"), node("Conv", "x wr")]
    (weight,) = agrees(make_model(nodes, arrays)).weights.values()
    assert weight.kind == ("quantised" if zero == 128 else "dense")


def test_pseudo_quantised_weights_are_rounded_while_reading() -> None:
    arrays = W | {"w": RNG.standard_normal((6, 4, 3, 3)).astype(np.float32)}
    nodes = [node("QuantizeLinear", "w ws wz", "wq", axis=0)]
    nodes += [node("DequantizeLinear", "wq ws wz", "wr", axis=0), node("Conv", "x wr")]
    (weight,) = agrees(make_model(nodes, arrays)).weights.values()
    assert weight.kind == "quantised"


def test_a_norm_behind_it_goes_into_the_scales() -> None:
    norm = {name: np.arange(1, 7, dtype=np.float32) for name in "gbmv"}
    nodes = [*PAIR, WEIGHT, node("Conv", "xr wr", "c"), node("BatchNormalization", "c g b m v")]
    graph = agrees(make_model(nodes, X | W | norm))
    assert [n.op.kind for n in graph.nodes] == ["quantise", "conv2d"]
    assert graph.weights["c.weight"].kind == "quantised"


def test_integers_may_be_reshaped_and_pooled() -> None:
    nodes = [
        PAIR[0],
        node("MaxPool", "xq", "m", kernel_shape=[2, 2]),
        node("Flatten", "m", "f"),
        node("DequantizeLinear", "f xs xz"),
    ]
    graph = agrees(make_model(nodes, X))
    assert [n.op.kind for n in graph.nodes] == ["quantise", "max_pool2d", "flatten"]


def test_integers_may_be_clipped() -> None:
    bounds = {"low": np.uint8(120), "high": np.uint8(200)}
    nodes = [PAIR[0], node("Clip", "xq low high", "c"), node("DequantizeLinear", "c xs xz")]
    graph = agrees(make_model(nodes, X | bounds))
    assert [n.op for n in graph.nodes] == [ops.Quantise(float(np.float32(0.03)), 120, 120, 200)]


def test_the_same_pair_twice_is_one_operator() -> None:
    again = [node("QuantizeLinear", "xr xs xz", "q"), node("DequantizeLinear", "q xs xz")]
    graph = agrees(make_model([*PAIR, *again], X))
    assert [n.op.kind for n in graph.nodes] == ["quantise"]


def test_zeros_around_a_picture_stay_for_the_convolution() -> None:
    pad = node("Pad", "x pads", "p")
    pair = [node("QuantizeLinear", "p xs xz", "xq"), PAIR[1]]
    pads = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 0], np.int64)}
    graph = agrees(make_model([pad, *pair, WEIGHT, node("Conv", "xr wr")], X | W | pads))
    assert [n.op.kind for n in graph.nodes] == ["quantise", "conv2d"]


RESULT = {"ys": np.float32(0.2), "yz": np.uint8(100)}


@pytest.mark.parametrize("scales", [SCALES, SCALES[:1]])
@pytest.mark.parametrize("bias", ["", " b"])
def test_layers_of_integers_are_layers_between_levels(scales: np.ndarray, bias: str) -> None:
    arrays = X | RESULT | {"w": BYTES, "ws": scales, "wz": np.zeros(scales.shape, np.int8)}
    if bias:
        arrays["b"] = RNG.integers(-500, 500, 6).astype(np.int32)
    nodes = [
        PAIR[0],
        node("QLinearConv", f"xq xs xz w ws wz ys yz{bias}", "c", pads=[1, 0, 0, 1]),
        node("MaxPool", "c", "m", kernel_shape=[2, 2]),
        node("DequantizeLinear", "m ys yz"),
    ]
    graph = from_onnx(make_model(nodes, arrays))
    assert [n.op.kind for n in graph.nodes] == ["quantise", "conv2d", "quantise", "max_pool2d"]
    x = (2 * RNG.standard_normal((2, 4, 6, 5))).astype(np.float32)
    difference = np.abs(interpret(graph, x) - run_onnx(make_model(nodes, arrays), x))
    assert np.mean(difference > 1e-5) < 0.02  # a value in the middle between two levels
    assert difference.max() < 0.201


def test_matrix_products_of_integers() -> None:
    matrix = RNG.integers(-127, 128, (4, 6)).astype(np.int8)
    arrays = X | RESULT | {"w": matrix, "ws": np.float32(0.01), "wz": np.int8(0)}
    nodes = [
        PAIR[0],
        node("QLinearMatMul", "xq xs xz w ws wz ys yz", "c"),
        node("DequantizeLinear", "c ys yz"),
    ]
    model = make_model(nodes, arrays, (8, 4))
    graph = from_onnx(model)
    assert list(graph.weights.values()) == [Quantised(matrix.T, np.full(6, 0.01))]
    x = RNG.standard_normal((8, 4)).astype(np.float32)
    difference = np.abs(interpret(graph, x) - run_onnx(model, x))
    assert np.mean(difference > 1e-5) < 0.05
    assert difference.max() < 0.201


REFUSED: dict[str, tuple[list, dict, str]] = {
    "another scale": (
        [PAIR[0], node("DequantizeLinear", "xq other xz")],
        {"other": np.float32(0.04)},
        "another scale or zero point",
    ),
    "per channel": (
        [node("QuantizeLinear", "x ws wz", "q", axis=1), node("DequantizeLinear", "q ws wz")],
        {"ws": SCALES[:4], "wz": W["wz"][:4]},
        "one scale for all channels",
    ),
    "sixteen bits": (
        [node("QuantizeLinear", "x xs big", "q"), node("DequantizeLinear", "q xs big")],
        {"big": np.uint16(5)},
        "uint16 .* eight bits",
    ),
    "sum of integers": (
        [PAIR[0], node("Add", "xq xq", "a"), node("DequantizeLinear", "a xs xz")],
        {},
        "of integers is not in the graph",
    ),
    "real numbers dequantised": ([node("DequantizeLinear", "x xs xz")], {}, "no QuantizeLinear"),
    "integer convolution": (
        [node("ConvInteger", "x w")],
        {"w": BYTES},
        "ConvInteger .* is not in the graph",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_graph_has_not_is_a_named_error(
    case: str, assert_refused: Callable[[ModelProto, str], None]
) -> None:
    nodes, arrays, message = REFUSED[case]
    arrays = X | W | arrays
    used = {name for n in nodes for name in n.input}
    opset = 21 if case == "sixteen bits" else 17
    model = make_model(nodes, {k: a for k, a in arrays.items() if k in used}, opset=opset)
    assert_refused(model, message)


def test_the_output_is_real() -> None:
    from gossamer.errors import UnsupportedOperatorError

    model = make_model([node("QuantizeLinear", "x xs xz")], X)
    with pytest.raises(UnsupportedOperatorError, match="integers, not real numbers"):
        from_onnx(model)


def test_four_bits(rng: np.random.Generator) -> None:
    import ml_dtypes

    integers = rng.integers(-8, 8, (6, 4, 3, 3))
    arrays = {"w": integers.astype(ml_dtypes.int4), "ws": SCALES, "wz": np.zeros(6, ml_dtypes.int4)}
    model = make_model([WEIGHT, node("Conv", "x wr")], arrays, opset=21)
    assert model.graph.initializer[0].data_type == TensorProto.INT4
    (weight,) = from_onnx(model).weights.values()
    assert weight == Quantised(integers, SCALES)


def test_a_graph_of_levels_comes_back() -> None:
    x = (2 * RNG.standard_normal((2, 4, 6, 5))).astype(np.float32)
    nodes = [*PAIR, WEIGHT, node("Conv", "xr wr", "c"), node("Relu", "c")]
    graph = from_onnx(make_model(nodes, X | W))
    model = to_onnx(graph)
    kinds = [n.op_type for n in model.graph.node]
    assert kinds.count("DequantizeLinear") == 2
    back = from_onnx(model)
    assert [n.op for n in back.nodes] == [n.op for n in graph.nodes]
    np.testing.assert_array_equal(interpret(back, x), interpret(graph, x))
