"""Every operator that is read, against ONNX Runtime, in the forms that exporters write."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from gossamer.graph import interpret
from gossamer.graph.from_onnx import activations, from_onnx, integer_layers, norms, quantisation
from gossamer.graph.from_onnx.operators import HANDLERS
from tests.graph.from_onnx.conftest import assert_reads, make_model, node, run_onnx

RNG = np.random.default_rng(7)
WEIGHT = RNG.standard_normal((6, 4, 3, 3)).astype(np.float32)
THIN = RNG.standard_normal((4, 1, 3, 2)).astype(np.float32)
MATRIX = RNG.standard_normal((4, 3)).astype(np.float32)
FOUR = RNG.standard_normal(4).astype(np.float32)
THREE = RNG.standard_normal(3).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def norm(**attributes: object) -> list:
    return [node("BatchNormalization", "x g b m v", **attributes)]


NORM = {"g": FOUR, "b": FOUR[::-1].copy(), "m": FOUR + 1, "v": FOUR**2 + 0.1}

# name → nodes, arrays, kinds of the graph's nodes, further arguments of `make_model`
CASES: dict[str, tuple[list, dict, list[str], dict]] = {
    "Conv": (
        [node("Conv", "x w", strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2])],
        {"w": WEIGHT},
        ["conv2d"],
        {},
    ),
    "Conv along channels": (
        [
            node("GlobalAveragePool", "x", "p"),
            node("Reshape", "p s", "r"),
            node("Conv", "r w b", "c", pads=[1, 1], kernel_shape=[3]),
            node("Sigmoid", "c", "g"),
            node("Reshape", "g t", "f"),
            node("Shape", "x", "n"),
            node("Expand", "f n", "e"),
            node("Mul", "x e"),
        ],
        {
            "w": THREE.reshape(1, 1, 3),
            "b": THREE[:1],
            "s": ints(0, 1, -1),
            "t": ints(0, -1, 1, 1),
        },
        ["global_avg_pool", "flatten", "linear", "multiply"],
        {},
    ),
    "Conv along channels, some of them": (
        [
            node("Reshape", "x s", "r"),
            node("Conv", "r w", "c", pads=[2, 0], strides=[2], dilations=[2]),
            node("Squeeze", "c a"),
        ],
        {"w": FOUR[:2].reshape(1, 1, 2), "s": ints(0, 1, -1), "a": ints(1)},
        ["linear"],
        {"sizes": (2, 4)},
    ),
    "Conv depthwise": ([node("Conv", "x w", group=4)], {"w": THIN}, ["conv2d"], {}),
    "Conv same upper": (
        [node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3])],
        {"w": WEIGHT},
        ["conv2d"],
        {},
    ),
    "Conv same lower": (
        [node("Conv", "x w", auto_pad="SAME_LOWER", group=4)],
        {"w": THIN},
        ["conv2d"],
        {},
    ),
    "Conv valid": ([node("Conv", "x w", auto_pad="VALID")], {"w": WEIGHT}, ["conv2d"], {}),
    "Gemm": (
        [node("Gemm", "x w b", alpha=0.5, beta=2.0)],
        {"w": MATRIX, "b": THREE},
        ["linear"],
        {"sizes": (2, 4)},
    ),
    "Gemm transposed": (
        [node("Gemm", "x w b", transB=1)],
        {"w": MATRIX.T.copy(), "b": np.float32([[2.0]])},
        ["linear"],
        {"sizes": (2, 4)},
    ),
    "MatMul and Add": (
        [node("MatMul", "x w", "a"), node("Add", "b a")],
        {"w": MATRIX, "b": THREE},
        ["linear"],
        {"sizes": (2, 4)},
    ),
    "BatchNormalization": (norm(epsilon=0.01), NORM, ["scale_shift"], {}),
    "BatchNormalization of old": (norm(), NORM, ["scale_shift"], {"opset": 9}),
    "BatchNormalization of features": (norm(), NORM, ["scale_shift"], {"sizes": (2, 4)}),
    **{
        f"Pow of {e.item()}": (
            [node("Pow", "x e", "p"), node("Relu", "p")],
            {"e": e},
            ["multiply"] * (int(e.item()) - 1) + ["activation"],
            {},
        )
        for e in (number(1), number(2), ints(3))
    },
    "Add": ([node("Relu", "x", "a"), node("Add", "x a")], {}, ["activation", "add"], {}),
    "Add and Mul with constants": (
        [node("Mul", "x s", "a"), node("Add", "t a")],
        {"s": FOUR.reshape(4, 1, 1), "t": number(2)},
        ["scale_shift"],
        {},
    ),
    "Sub and Div": (
        [node("Sub", "x s", "a"), node("Div", "a t", "b"), node("Neg", "b")],
        {"s": FOUR.reshape(1, 4, 1, 1), "t": number(3)},
        ["scale_shift"],
        {},
    ),
    "Sub from a constant": ([node("Sub", "s x")], {"s": number(1)}, ["scale_shift"], {}),
    "Sub of values": (
        [node("Relu", "x", "a"), node("Sub", "a x")],
        {},
        ["activation", "scale_shift", "add"],
        {},
    ),
    "Sum": (
        [node("Relu", "x", "a"), node("Sum", "x a x")],
        {},
        ["activation", "add", "add"],
        {},
    ),
    "Mul of values": (
        [node("Relu", "x", "a"), node("Mul", "x a")],
        {},
        ["activation", "multiply"],
        {},
    ),
    "a gate of a vector": (
        [
            node("GlobalAveragePool", "x", "p"),
            node("Flatten", "p", "f"),
            node("Gemm", "f w", "l", transB=1),
            node("Unsqueeze", "l axes", "u"),
            node("Mul", "u x"),
        ],
        {"w": np.eye(4, dtype=np.float32), "axes": ints(2, 3)},
        ["global_avg_pool", "flatten", "linear", "multiply"],
        {},
    ),
    "MaxPool": (
        [node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])],
        {},
        ["max_pool2d"],
        {},
    ),
    "MaxPool with places that nobody reads": (
        [node("MaxPool", "x", "y places", kernel_shape=[2, 2], storage_order=1)],
        {},
        ["max_pool2d"],
        {},
    ),
    "MaxPool same": (
        [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")],
        {},
        ["max_pool2d"],
        {},
    ),
    "MaxPool up": (
        [node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        {},
        ["max_pool2d"],
        {},
    ),
    "AveragePool": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 0, 1])],
        {},
        ["avg_pool2d"],
        {},
    ),
    "AveragePool counting": (
        [node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)],
        {},
        ["avg_pool2d"],
        {},
    ),
    "GlobalAveragePool": ([node("GlobalAveragePool", "x")], {}, ["global_avg_pool"], {}),
    "GlobalMaxPool": ([node("GlobalMaxPool", "x")], {}, ["max_pool2d"], {}),
    "ReduceMean": (
        [node("ReduceMean", "x", axes=[-1, 2], keepdims=0)],
        {},
        ["global_avg_pool", "flatten"],
        {},
    ),
    "ReduceMean of new": (
        [node("ReduceMean", "x axes")],
        {"axes": ints(2, 3)},
        ["global_avg_pool"],
        {"opset": 18},
    ),
    "Concat": (
        [node("Relu", "x", "a"), node("Concat", "x a x", axis=-3)],
        {},
        ["activation", "concat"],
        {},
    ),
    "Concat of single channels": (
        [node("Relu", "x", "a"), node("Concat", "x a", axis=1)],
        {},
        ["activation", "concat"],
        {"sizes": (2, 1, 3, 3)},
    ),
    "Slice": (
        [node("Slice", "x s e a t")],
        {"s": ints(3, 0), "e": ints(-9, 2**63 - 1), "a": ints(1, 2), "t": ints(-2, 1)},
        ["channel_select"],
        {},
    ),
    "Slice of old": (
        [node("Slice", "x", starts=[1], ends=[3], axes=[1])],
        {},
        ["channel_select"],
        {"opset": 9},
    ),
    "Slice of pixels": (
        [node("Slice", "x s e a t")],
        {"s": ints(0, 0), "e": ints(99, 99), "a": ints(2, 3), "t": ints(2, 2)},
        ["max_pool2d"],
        {},
    ),
    "Gather": ([node("Gather", "x i", axis=1)], {"i": ints(3, -1, 0)}, ["channel_select"], {}),
    "Gather that reorders": (
        [node("Gather", "x i", axis=1), node("Relu", "y", "z")],
        {"i": ints(3, 1, 0, 2)},
        ["channel_permute"],
        {},
    ),
    "Split": (
        [node("Split", "x parts", "a b", axis=1), node("Concat", "b a", axis=1)],
        {"parts": ints(1, 3)},
        ["channel_select", "channel_select", "concat"],
        {},
    ),
    "Split of old": (
        [node("Split", "x", "a b", axis=1), node("Add", "a b")],
        {},
        ["channel_select", "channel_select", "add"],
        {"opset": 11},
    ),
    "Split of new": (
        [node("Split", "x", "a b", axis=1, num_outputs=2), node("Add", "a b")],
        {},
        ["channel_select", "channel_select", "add"],
        {"opset": 18},
    ),
    "channel shuffle": (
        [
            node("Reshape", "x five", "a"),
            node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "b four"),
        ],
        {"five": ints(0, 2, 2, 6, 5), "four": ints(0, -1, 6, 5)},
        ["channel_permute"],
        {},
    ),
    "channel shuffle by shapes": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Unsqueeze", "n axis", "nn"),
            node("Slice", "s two four", "hw"),
            node("Concat", "nn groups hw", "t", axis=0),
            node("Reshape", "x t", "a"),
            node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "b s"),
        ],
        {
            "zero": np.array(0),
            "axis": ints(0),
            "two": ints(2),
            "four": ints(4),
            "groups": ints(2, 2),
        },
        ["channel_permute"],
        {"sizes": ("N", 4, "H", "W")},
    ),
    "Pad and Conv": (
        [node("Pad", "x pads", "a"), node("Conv", "a w", pads=[1, 0, 0, 0])],
        {"pads": ints(0, 0, 1, 2, 0, 0, 0, 1), "w": WEIGHT},
        ["conv2d"],
        {},
    ),
    "Pad of old": (
        [node("Pad", "x", "a", pads=[0, 0, 1, 1, 0, 0, 1, 1]), node("Relu", "a")],
        {},
        ["conv2d"],
        {"opset": 9},
    ),
    "Pad of channels": (
        [node("Pad", "x pads")],
        {"pads": ints(0, 1, 0, 0, 0, 2, 0, 0)},
        ["channel_select"],
        {},
    ),
    "Pad and MaxPool": (
        [
            node("Relu", "x", "r"),
            node("Pad", "r pads", "a"),
            node("MaxPool", "a", kernel_shape=[3, 3], strides=[2, 2]),
        ],
        {"pads": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        ["activation", "max_pool2d"],
        {},
    ),
    "Pad and MaxPool of what may be negative": (
        [node("Pad", "x pads", "a"), node("MaxPool", "a", kernel_shape=[3, 3])],
        {"pads": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        ["conv2d", "max_pool2d"],
        {},
    ),
    "Pad and AveragePool": (
        [node("Pad", "x pads", "a"), node("AveragePool", "a", kernel_shape=[3, 3])],
        {"pads": ints(0, 0, 1, 1, 0, 0, 0, 1)},
        ["avg_pool2d"],
        {},
    ),
    "Softmax": (
        [node("Flatten", "x", "a"), node("Softmax", "a")],
        {},
        ["flatten", "softmax"],
        {},
    ),
    "Softmax of channels": ([node("Softmax", "x", axis=1)], {}, ["softmax"], {}),
    "Softmax of old": (
        [node("GlobalAveragePool", "x", "a"), node("Softmax", "a")],
        {},
        ["global_avg_pool", "softmax"],
        {"opset": 11},
    ),
    "ThresholdedRelu": ([node("ThresholdedRelu", "x", alpha=0.25)], {}, ["threshold"], {}),
    "LessOrEqual and Where": (
        [node("LessOrEqual", "x limit", "low"), node("Where", "low zero x")],
        {"limit": np.array([[[0.1]], [[-0.2]], [[0.3]], [[0.0]]], np.float32), "zero": number(0)},
        ["threshold"],
        {},
    ),
    "TopK and ScatterElements": (
        [
            node("TopK", "x count", "largest places", axis=1),
            node("Shape", "x", "shape"),
            node("ConstantOfShape", "shape", "zeros"),
            node("ScatterElements", "zeros places largest", axis=1),
        ],
        {"count": ints(2)},
        ["k_winners"],
        {},
    ),
    "LRN": ([node("LRN", "x", size=3, alpha=0.5, bias=2.0)], {}, ["local_response_norm"], {}),
    "reshapes to a vector": (
        [
            node("GlobalAveragePool", "x", "a"),
            node("Squeeze", "a axes", "b"),
            node("Unsqueeze", "b axes", "c"),
            node("Reshape", "c shape", "d"),
            node("Flatten", "d"),
        ],
        {"axes": ints(2, 3), "shape": ints(0, -1)},
        ["global_avg_pool", "flatten"],
        {},
    ),
    "Squeeze of old": (
        [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a", axes=[2, 3])],
        {},
        ["global_avg_pool", "flatten"],
        {"opset": 11},
    ),
    "copies": (
        [
            node("Identity", "x", "a"),
            node("Dropout", "a ratio", "b"),
            node("Cast", "b", "c", to=TensorProto.FLOAT),
            node("Expand", "c shape", "d"),
            node("Relu", "d"),
        ],
        {"ratio": number(0.5), "shape": ints(1, 4, 1, 1)},
        ["activation"],
        {},
    ),
    "Constant": (
        [node("Constant", "", "c", value_float=2.0), node("Mul", "x c")],
        {},
        ["scale_shift"],
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_onnxruntime(case: str) -> None:
    nodes, arrays, kinds, options = CASES[case]
    shown = {"input_shape": (2, 4, 6, 5)} if "N" in options.get("sizes", ()) else {}
    graph = assert_reads(make_model(nodes, arrays, **options), **shown)
    assert [n.op.kind for n in graph.nodes] == kinds


def test_every_operator_has_a_case() -> None:
    used = {n.op_type for nodes, *_ in CASES.values() for n in nodes}
    elsewhere = (activations, norms, quantisation, integer_layers)
    assert set(HANDLERS) - {name for part in elsewhere for name in part.HANDLERS} <= used


CHANNELS_LAST = [node("Transpose", "x", "t", perm=[0, 3, 1, 2])]


@pytest.mark.parametrize(
    ("nodes", "arrays"),
    [
        ([*CHANNELS_LAST, node("Conv", "t w")], {"w": WEIGHT}),
        (
            [
                node("Sub", "x mean", "s"),
                node("Transpose", "s", "t", perm=[0, 3, 1, 2]),
                node("Conv", "t w", "c"),
                node("Transpose", "c", "u", perm=[0, 2, 3, 1]),
                node("Relu", "u", "r"),
                node("Reshape", "r shape", "f"),
                node("MatMul", "f m"),
            ],
            {
                "mean": FOUR,
                "w": WEIGHT,
                "shape": ints(-1, 72),
                "m": RNG.standard_normal((72, 3)).astype(np.float32),
            },
        ),
        (
            [
                *CHANNELS_LAST,
                node("Transpose", "t", "u", perm=[0, 2, 3, 1]),
                node("Mul", "u factor", "v"),
                node("Pad", "v pads", "p"),
                node("Transpose", "p", "q", perm=[0, 3, 1, 2]),
                node("Conv", "q w", "c"),
                node("Transpose", "c", "d", perm=[0, 2, 3, 1]),
                node("ReduceMean", "d", axes=[1, 2], keepdims=0),
            ],
            {"factor": FOUR, "pads": ints(0, 1, 2, 0, 0, 0, 1, 0), "w": WEIGHT},
        ),
    ],
    ids=["first", "flattened", "padded and averaged"],
)
def test_networks_in_channels_last(nodes: list, arrays: dict[str, np.ndarray]) -> None:
    model = make_model(nodes, arrays, (2, 6, 5, 4))
    graph = from_onnx(model)
    assert graph.input.example == (2, 4, 6, 5)
    x = np.random.default_rng(0).standard_normal(graph.input.example).astype(np.float32)
    expected = run_onnx(model, np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(interpret(graph, x), expected, atol=1e-5)


REFUSED: dict[str, tuple[list, dict, str, dict]] = {
    "unknown": ([node("Sin", "x")], {}, r"ai\.onnx::Sin \(operator set 17\) is not in", {}),
    "other domain": (
        [node("FusedConv", "x", domain="com.microsoft")],
        {},
        r"com\.microsoft::FusedConv .* not one of ONNX's own",
        {},
    ),
    "weight that is computed": ([node("Conv", "x x")], {}, "depends on the network's input", {}),
    "1-D convolution": (
        [node("Conv", "x w")],
        {"w": np.ones((2, 4, 3), np.float32)},
        "pictures",
        {},
    ),
    "groups": ([node("Conv", "x w", group=3)], {"w": WEIGHT}, "3 groups", {}),
    "negative padding": (
        [node("Conv", "x w", pads=[-1, 0, 0, 0])],
        {"w": WEIGHT},
        "bad padding",
        {},
    ),
    "matrix of a picture": ([node("MatMul", "x w")], {"w": MATRIX}, r"\(N, F\) only", {}),
    "norm in training": (norm(training_mode=1), NORM, "evaluation mode", {}),
    "root": ([node("Pow", "x s")], {"s": number(0.5)}, "exponents 1, 2 and 3", {}),
    "power of itself": ([node("Pow", "x x")], {}, "depends on the network's input", {}),
    "repeated to be added": (
        [node("GlobalAveragePool", "x", "p"), node("Expand", "p s", "e"), node("Add", "x e")],
        {"s": ints(2, 4, 6, 5)},
        "reads repeated entries",
        {},
    ),
    "quotient": ([node("Div", "x x")], {}, "depends on the network's input", {}),
    "division by zero": ([node("Div", "x z")], {"z": number(0)}, "divides by zero", {}),
    "constant picture": (
        [node("Add", "x c")],
        {"c": np.ones((6, 5), np.float32)},
        "not one number a channel",
        {},
    ),
    "dilated mean": (
        [node("AveragePool", "x", kernel_shape=[2, 2], dilations=[2, 2])],
        {},
        "dilation",
        {"opset": 19},
    ),
    "mean over channels": (
        [node("ReduceMean", "x", axes=[1], keepdims=0)],
        {},
        "height and width",
        {},
    ),
    "batch moved": ([node("Transpose", "x", perm=[1, 0, 2, 3])], {}, "moves the batch", {}),
    "batch reshaped": ([node("Reshape", "x s")], {"s": ints(1, -1)}, "over the batch", {}),
    "channels last to the end": (
        [node("Transpose", "x", perm=[0, 2, 3, 1])],
        {},
        "laid out as NHWC",
        {},
    ),
    "part of a picture": (
        [node("Slice", "x s e a")],
        {"s": ints(1), "e": ints(3), "a": ints(2)},
        "part of the picture",
        {},
    ),
    "joined pixels": ([node("Concat", "x x", axis=2)], {}, "another axis than channels", {}),
    "reflection": (
        [node("Pad", "x p", mode="reflect")],
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        "other than zeros",
        {},
    ),
    "softmax over rows": ([node("Softmax", "x", axis=2)], {}, "another axis than channels", {}),
    "even response norm": ([node("LRN", "x", size=4)], {}, "even number", {}),
    "repetition": (
        [node("Expand", "x s")],
        {"s": ints(2, 2, 4, 6, 5)},
        "repeats",
        {"sizes": (1, 4, 6, 5)},
    ),
    "integers": ([node("Cast", "x", to=TensorProto.INT32)], {}, "not a float", {}),
    "text": ([node("Constant", "", "c", value_string="a"), node("Add", "x c")], {}, "numbers", {}),
    "branch": (
        [
            node(
                "If",
                "c",
                then_branch=helper.make_graph([], "then", [], []),
                else_branch=helper.make_graph([], "else", [], []),
            )
        ],
        {"c": np.array(True)},
        "If .* is not computed",
        {},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_graph_has_not_is_a_named_error(
    case: str, assert_refused: Callable[[ModelProto, str], None]
) -> None:
    nodes, arrays, message, options = REFUSED[case]
    assert_refused(make_model(nodes, arrays, **options), message)
