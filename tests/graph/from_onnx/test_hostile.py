"""Files that were made to harm: each ends in a named error, soon and in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

import gossamer
from gossamer.errors import FormatError, GossamerError, LimitExceededError
from gossamer.graph import Graph
from gossamer.graph.from_onnx import OnnxLimits, from_onnx, load_onnx
from gossamer.graph.from_onnx.source import _parse
from gossamer.graph.to_onnx import to_onnx
from tests.graph.from_onnx.conftest import make_model, node

WEIGHT = np.ones((6, 4, 3, 3), np.float32)
MEBIBYTE = 2**20


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def refused(
    model: ModelProto, error: type[GossamerError] = FormatError, match: str | None = None
) -> None:
    """Check that a model is refused in less than 64 MiB."""
    tracemalloc.start()
    try:
        with pytest.raises(error, match=match):
            from_onnx(model)
        assert tracemalloc.get_traced_memory()[1] < 64 * MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Relu", "absent")], "nothing before it makes"),
        ([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b")], "nothing before"),
        ([node("Relu", "y")], "nothing before it makes"),
        ([node("Relu", "x", "a"), node("Relu", "a"), node("Relu", "x")], "the same name"),
        ([node("Relu", "")], "input 0 is missing"),
        ([node("Relu", "x", "z")], "no node makes"),
        ([node("Conv", "x w", strides=[1.5, 2.0])], "not a list of integers"),
        ([node("Conv", "x w", strides=2)], "not a list of integers"),
        ([node("Conv", "x w", strides=[1, 1, 1])], "not well formed"),
        ([node("Conv", "x w", pads=[0])], "not well formed"),
        ([node("Conv", "x w", group="four")], "not a number"),
        ([node("Conv", "x w", group=1.5)], "not an integer"),
        ([node("Conv", "x w", auto_pad=1)], "not a text"),
        ([node("Conv", "x w", kernel_shape=[1, 1])], "kernel_shape"),
        ([node("MaxPool", "x")], "kernel_shape is missing"),
        ([node("Transpose", "x", perm=[0, 1, 1, 2])], "not an order"),
        ([node("Concat", "x x", axis=9)], "no axis 9"),
        ([node("Reshape", "x w")], "not integers"),
        ([node("Reshape", "x s")], "cannot make"),
        ([node("Squeeze", "x s")], "no axis|cannot squeeze"),
        ([node("Split", "x s", "y z", axis=1)], "cannot split"),
        ([node("Pad", "x three")], "two numbers for each axis"),
        ([node("Slice", "x s")], "missing"),
        ([node("Softmax", "x", axis=-9)], "no axis"),
        ([node("BatchNormalization", "x w")], "missing"),
    ],
    ids=str,
)
def test_malformed_nodes(nodes: list, message: str) -> None:
    arrays = {"w": WEIGHT, "s": ints(1, -1, 2**62), "three": ints(0, 0, 1)}
    used = {name for n in nodes for name in n.input}
    model = make_model(nodes, {k: a for k, a in arrays.items() if k in used})
    refused(model, match=message)


@pytest.mark.parametrize(
    ("maker", "arrays"),
    [
        (node("ConstantOfShape", "a", "c"), {"a": ints(2**20, 2**20)}),
        (node("Expand", "a a", "c"), {"a": ints(2**40)}),
        (node("Tile", "a a", "c"), {"a": ints(2**40)}),
        (node("Range", "a b d", "c"), {"a": ints(0), "b": ints(2**60), "d": ints(1)}),
        (node("Add", "a b", "c"), {"a": np.zeros((2**15, 1)), "b": np.zeros((1, 2**15))}),
        (node("Gather", "a b", "c"), {"a": np.zeros((1, 2**14)), "b": np.zeros(2**15, np.int64)}),
    ],
    ids=lambda value: value.op_type if hasattr(value, "op_type") else "",
)
def test_constants_that_grow(maker: object, arrays: dict[str, np.ndarray]) -> None:
    refused(make_model([maker, node("Add", "x c")], arrays), LimitExceededError)


def test_constants_that_are_made_again_and_again() -> None:
    nodes = [node("ConstantOfShape", "a", f"c{i}") for i in range(40)]
    nodes.append(node("Sum", "x " + " ".join(f"c{i}" for i in range(40))))
    model = make_model(nodes, {"a": ints(2**20)})
    with pytest.raises(LimitExceededError):
        from_onnx(model, limits=OnnxLimits(entries=2**23))


def test_a_weight_that_many_layers_share_is_held_once() -> None:
    square = np.eye(64, dtype=np.float32)
    nodes = [node("MatMul", f"{'x' if i == 0 else f'y{i}'} w", f"y{i + 1}") for i in range(200)]
    nodes.append(node("Relu", "y200"))
    graph = from_onnx(make_model(nodes, {"w": square}, (1, 64)), limits=OnnxLimits(entries=2**13))
    assert len(graph.weights) == 1
    norms = [node("Mul", "x w", "a"), node("Mul", "a w", "b"), node("Mul", "b w")]
    scale = {"w": np.ones((1, 2**12), np.float32)}
    with pytest.raises(LimitExceededError, match="together"):
        from_onnx(make_model(norms, scale, (1, 2**12)), limits=OnnxLimits(entries=2**14))


def test_sizes_that_are_too_large() -> None:
    huge = make_model([node("Relu", "x")], sizes=(1, 2**40, 6, 6))
    refused(huge, LimitExceededError)
    refused(make_model([node("Relu", "x")], sizes=(2**40, 1, 6, 6)), LimitExceededError)
    padded = {"p": ints(0, 2**60, 0, 0, 0, 0, 0, 0)}
    refused(make_model([node("Pad", "x p")], padded), GossamerError)


def test_tensors_that_lie_about_their_size() -> None:
    for dims in ((2**20, 2**20), (-1, 4), (6, 4, 3, 4)):
        model = make_model([node("Conv", "x w")])
        model.graph.initializer.append(
            TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(864))
        )
        refused(model)
    for kind in (TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.UNDEFINED, 99):
        model = make_model([node("Conv", "x w")])
        model.graph.initializer.append(
            TensorProto(name="w", data_type=kind, dims=(1,), raw_data=bytes(8))
        )
        refused(model)


@pytest.mark.parametrize(
    ("shape", "at"),
    [((2**20, 2**20), [0, 1]), ((6, 4), [0, 24]), ((6, 4), [-1, 2]), ((6, 4), [1])],
)
def test_sparse_tensors_that_lie(shape: tuple[int, ...], at: list[int]) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    sparse = helper.make_sparse_tensor(
        values, helper.make_tensor("at", TensorProto.INT64, [len(at)], at), shape
    )
    refused(make_model([node("MatMul", "x w")], sparse_initializer=[sparse], sizes=(1, 6)))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../secret"}, "outside the model's folder"),
        ({"location": "/etc/hostname"}, "outside the model's folder"),
        ({"location": "link"}, "outside the model's folder"),
        ({}, "outside the model's folder"),
        ({"location": "absent"}, "missing or too short"),
        ({"location": "."}, "missing or too short"),
        ({"location": "short"}, "not a well-formed tensor"),
        ({"location": "short", "offset": "-1"}, "missing or too short"),
        ({"location": "short", "offset": "9"}, "missing or too short"),
        ({"location": "short", "length": str(2**60)}, "missing or too short"),
        ({"location": "short", "offset": "many"}, "not a well-formed tensor"),
    ],
)
def test_external_data_stays_in_its_folder(
    tmp_path: Path, entries: dict[str, str], message: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(864))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "short").write_bytes(bytes(4))
    model = make_model([node("Conv", "x w")])
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=WEIGHT.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    model.graph.initializer.append(tensor)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match=message) as caught:
        gossamer.load(path)
    assert "net.onnx: constant 'w'" in str(caught.value)
    with pytest.raises(FormatError):
        from_onnx(model)


def functions(count: int, last: str) -> ModelProto:
    """Return a model whose functions use each other twice, one after the other."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = make_model([node("f0", "x", domain="own")])
    model.opset_import.append(opsets[1])
    for number in range(count):
        using = f"f{number + 1}" if number < count - 1 else last
        domain = "own" if using.startswith("f") else ""
        body = [node(using, "a", "c", domain=domain), node(using, "c", "b", domain=domain)]
        model.functions.append(
            helper.make_function("own", f"f{number}", ["a"], ["b"], body, opsets)
        )
    return model


def test_functions_that_multiply() -> None:
    assert len(from_onnx(functions(3, "Relu"), rewrite=False).nodes) == 8
    refused(functions(60, "Relu"), LimitExceededError, "too many nodes")
    refused(functions(3, "f0"), match="uses itself")
    refused(functions(2000, "Relu"), match="too deeply|too many nodes")


def test_limits_are_kept(tmp_path: Path) -> None:
    model = make_model([node("Conv", "x w", "a"), node("Relu", "a")], {"w": WEIGHT})
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    for limits in (OnnxLimits(file_bytes=100), OnnxLimits(nodes=1), OnnxLimits(entries=100)):
        with pytest.raises(LimitExceededError):
            load_onnx(path, limits=limits)
    with pytest.raises(LimitExceededError, match=r"net\.onnx"):
        gossamer.load(path, limits=gossamer.codec.limits.Limits(entries=100))


@pytest.mark.parametrize("data", [b"", b"hello\n" * 10, b"\x08" * 50, bytes(1000)])
def test_what_is_not_onnx(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"net\.onnx: not an ONNX model"):
        gossamer.load(path)


def test_names_that_are_not_text() -> None:
    data = make_model([node("Relu", "x", "some"), node("Relu", "some")]).SerializeToString()
    model = _parse(data.replace(b"some", b"\xff\xfe\xfd\xfc"))
    refused(model, match="not text")


def test_unknown_operator_sets_and_other_inputs() -> None:
    relu = [node("Relu", "x")]
    for opset in (6, 99):
        refused(make_model(relu, opset=opset), GossamerError, "operator set")
    refused(make_model(relu, kind=TensorProto.UINT8), GossamerError, "tensor of floats .got UINT8")
    refused(make_model(relu, kind=77), GossamerError, "tensor of floats")
    model = make_model(relu)
    model.graph.output.append(model.graph.output[0])
    refused(model, GossamerError, "one output")
    del model.graph.input[:]
    refused(model, GossamerError, "one input")
    constant = make_model([node("Constant", "", "y", value_float=1.0)])
    refused(constant, GossamerError, "does not depend on the input")


@given(
    st.integers(0, 20),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), min_size=1),
)
def test_damaged_files_are_a_named_error_or_a_graph(
    random_graph: Callable[[int], Graph],
    seed: int,
    changes: list[tuple[float, bytes, int]],
) -> None:
    data = bytearray(to_onnx(random_graph(seed)).SerializeToString())
    for place, new, dropped in changes:
        at = int(place * len(data))
        data[at : at + dropped] = new
    try:
        graph = from_onnx(_parse(bytes(data)), limits=OnnxLimits(entries=10**6))
    except GossamerError:
        return
    assert str(graph)
