"""Files: example sizes, free axes, float types, sparse and external constants, names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gossamer
from gossamer.errors import FormatError, SpecError, UnsupportedOperatorError
from gossamer.graph import interpret
from gossamer.graph.from_onnx import from_onnx, load_onnx
from gossamer.graph.to_onnx import RECORD_NOTE
from gossamer.images import InputRecord
from tests.graph.from_onnx.conftest import Sizes, assert_reads, make_model, node

RNG = np.random.default_rng(7)
WEIGHT = RNG.standard_normal((6, 4, 3, 3)).astype(np.float32)
CONV = [node("Conv", "x w")]
POOL = [node("Conv", "x w", "c"), node("GlobalAveragePool", "c")]
FLAT = [node("Conv", "x w", "c"), node("Flatten", "c", "f"), node("MatMul", "f m")]
SAME = [node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])]
FIXED = [node("Conv", "x w", "c"), node("Reshape", "c s")]


@pytest.mark.parametrize(
    ("nodes", "sizes", "example", "free"),
    [
        (POOL, (1, 4, 8, 8), (1, 4, 8, 8), set()),
        (POOL, ("N", 4, 8, 8), (1, 4, 8, 8), {0}),
        (POOL, ("N", 4, "H", "W"), (1, 4, 224, 224), {0, 2, 3}),
        (POOL, (None, 4, None, 8), (1, 4, 224, 8), {0, 2}),
        (FLAT, ("N", 4, 8, 8), (1, 4, 8, 8), {0}),
        (SAME, ("N", 4, "H", "W"), (1, 4, 224, 224), {0}),  # padded by the size being odd or even
        (FIXED, ("N", 4, 5, 5), (1, 4, 5, 5), set()),  # reshaped to a batch of one
    ],
)
def test_axes_are_free_where_the_file_leaves_them_open(
    nodes: list, sizes: Sizes, example: tuple[int, ...], free: set[int]
) -> None:
    matrix = RNG.standard_normal((216, 3)).astype(np.float32)
    shape = np.array([1, 54], np.int64)
    arrays = {"w": WEIGHT, "m": matrix, "s": shape}
    used = {name for n in nodes for name in n.input}
    graph = from_onnx(make_model(nodes, {k: a for k, a in arrays.items() if k in used}, sizes))
    assert graph.input.example == example
    assert graph.input.free == free


def test_an_example_can_be_given() -> None:
    open_sizes = make_model(
        FLAT, {"w": WEIGHT, "m": np.ones((216, 3), np.float32)}, ("N", 4, "H", "W")
    )
    with pytest.raises(gossamer.errors.GraphError, match="does not fit the graph"):
        from_onnx(open_sizes)
    graph = assert_reads(open_sizes, input_shape=(2, 4, 8, 8))
    assert graph.input.example == (2, 4, 8, 8)
    assert graph.input.free == {0}


@pytest.mark.parametrize(
    ("sizes", "given"),
    [
        (("N", "C", 8, 8), None),
        (None, None),
        ((1, 4, 8), None),
        ((1, 4, 8, 8), (1, 4, 9, 8)),
        ((1, 4, 8, 8), (1, 4)),
        (("N", 4, 8, 8), (0, 4, 8, 8)),
    ],
)
def test_a_missing_or_wrong_example_is_named(sizes: Sizes | None, given: tuple | None) -> None:
    with pytest.raises(SpecError, match="input 'x'"):
        from_onnx(make_model(CONV, {"w": WEIGHT}, sizes), input_shape=given)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, "bfloat16"])
def test_other_floats_become_float32(dtype: type | str) -> None:
    import ml_dtypes

    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    weight = WEIGHT.astype(kind)
    graph = from_onnx(make_model(CONV, {"w": weight}))
    np.testing.assert_array_equal(graph.weights["w"].to_dense(), weight.astype(np.float32))


def test_a_model_in_half_precision(rng: np.random.Generator) -> None:
    nodes = [node("Cast", "x", "a", to=TensorProto.FLOAT), node("Conv", "a w")]
    model = make_model(nodes, {"w": WEIGHT}, kind=TensorProto.FLOAT16)
    x = rng.standard_normal((2, 4, 6, 5)).astype(np.float32)
    plain = from_onnx(make_model(CONV, {"w": WEIGHT}))
    np.testing.assert_array_equal(interpret(from_onnx(model), x), interpret(plain, x))


@pytest.mark.parametrize("flat", [True, False])
def test_sparse_initialisers_stay_sparse(flat: bool) -> None:
    weight = WEIGHT * (RNG.random(WEIGHT.shape) < 0.1)
    at = np.flatnonzero(weight) if flat else np.argwhere(weight)
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(weight[weight != 0], "w"),
        numpy_helper.from_array(at.astype(np.int64), "at"),
        weight.shape,
    )
    graph = from_onnx(make_model(CONV, sparse_initializer=[sparse]))
    assert graph.weights["w"].kind == "sparse"
    np.testing.assert_array_equal(graph.weights["w"].to_dense(), weight)
    constant = node("Constant", "", "w", sparse_value=sparse)
    graph = from_onnx(make_model([constant, *CONV]))
    np.testing.assert_array_equal(graph.weights["y.weight"].to_dense(), weight)


def test_external_data_lies_beside_the_file(tmp_path: Path) -> None:
    model = make_model(CONV, {"w": WEIGHT})
    plain = from_onnx(model)
    onnx.save_model(
        model, tmp_path / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    assert load_onnx(tmp_path / "net.onnx") == plain
    assert gossamer.load(tmp_path / "net.onnx") == plain


def test_the_file_names_a_network_without_a_name(tmp_path: Path) -> None:
    model = make_model(CONV, {"w": WEIGHT})
    assert from_onnx(model).name == "model"
    model.graph.name = "main_graph"
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert gossamer.load(path).name == "net"


def test_initialisers_that_are_also_inputs() -> None:
    model = make_model(CONV, {"w": WEIGHT})
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, WEIGHT.shape))
    assert from_onnx(model) == from_onnx(make_model(CONV, {"w": WEIGHT}))


def test_functions_of_the_file_are_put_in_place() -> None:
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("own", "twice", ["a"], ["b"], [node("Add", "a a", "b")], opsets)
    model = make_model([node("twice", "x", domain="own")])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert [n.op.kind for n in from_onnx(model).nodes] == ["add"]


def test_what_the_output_does_not_need_is_not_read() -> None:
    model = make_model([node("Erf", "x", "unused"), *CONV], {"w": WEIGHT})
    assert [n.op.kind for n in from_onnx(model).nodes] == ["conv2d"]


def test_layers_are_named_after_their_weights() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "stem.conv.weight"], ["a"], name="/stem/Conv"),
        helper.make_node("Sigmoid", ["a"], ["y"], name="/stem/act/Sigmoid"),
    ]
    graph = from_onnx(make_model(nodes, {"stem.conv.weight": WEIGHT}), rewrite=False)
    assert [n.name for n in graph.nodes] == ["stem.conv", "stem/act/Sigmoid"]
    assert list(graph.weights) == ["stem.conv.weight"]


def test_the_input_record_of_a_file_is_checked() -> None:
    model = make_model(CONV, {"w": WEIGHT})
    record = InputRecord(6, 5, "L", mean=(0.5,), deviation=(1.0,))
    helper.set_model_props(model, {RECORD_NOTE: json.dumps(record.to_dict())})
    assert from_onnx(model).record == record
    for bad in ("", "[]", '{"height": 0}', "[" * 10**5):
        helper.set_model_props(model, {RECORD_NOTE: bad})
        with pytest.raises(FormatError, match=RECORD_NOTE):
            from_onnx(model)


def test_nodes_in_any_order() -> None:
    """Some converters put what they add at the end, after the nodes that read it."""
    to_half = node("Cast", "x", "h", to=TensorProto.FLOAT16)
    nodes = [to_half, node("Conv", "h w", "c"), node("Cast", "c", to=TensorProto.FLOAT)]
    models = (make_model(order, {"w": WEIGHT.astype(np.float16)}) for order in (nodes, nodes[::-1]))
    ordered, other = (from_onnx(model) for model in models)
    assert ordered == other
    assert [n.op.kind for n in ordered.nodes] == ["conv2d"]


def test_an_array_that_was_a_row_meanwhile() -> None:
    """As PyTorch's exporter changes strides: a reshape to one axis, and a choice of all."""
    arrays = {
        "s": np.array([-1]),
        "i": np.arange(4).reshape(1, 4, 1, 1),
        "g": np.array([1, 0, 2, 3]),
    }
    row = [node("GlobalAveragePool", "x", "p"), node("Reshape", "p s", "r")]
    one = {"sizes": (1, 4, 6, 5)}
    graph = assert_reads(
        make_model([*row, node("Gather", "r i", "q"), node("Relu", "q")], arrays, **one)
    )
    assert [n.op.kind for n in graph.nodes] == ["global_avg_pool", "activation"]
    with pytest.raises(UnsupportedOperatorError, match="without a batch"):
        from_onnx(make_model([*row, node("Gather", "r g")], arrays, **one))
