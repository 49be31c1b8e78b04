"""ONNX Runtime against the interpreter, for every operator."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gossamer.errors import MissingDependencyError, ShapeError
from gossamer.graph import Codebook, Dense, Graph, Input, Node, interpret, ops, verify
from gossamer.graph.activations import leaky_relu
from gossamer.graph.to_onnx import OPERATOR_SET, save_onnx, to_onnx

SEED = st.integers(0, 2**32 - 1)
FEW = st.integers(1, 3)


def run_onnx(graph: Graph, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        to_onnx(graph).SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return session.run(None, {graph.input.name: x})[0]


def check(graph: Graph, shape: tuple[int, ...] | None = None, seed: int = 0) -> None:
    """Compare, relative to the largest value in the network, for outputs may nearly cancel."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape or graph.input.example).astype(np.float32)
    values: dict[str, np.ndarray] = {}
    expected = interpret(graph, x, values=values)
    output = run_onnx(graph, x)
    assert output.shape == expected.shape
    largest = max(float(np.abs(value).max()) for value in values.values())
    assert np.abs(output - expected).max() <= 1e-5 * largest


def one(op: ops.Op, shape: tuple[int, ...], **weights: np.ndarray) -> Graph:
    node = Node("y", op, ("x",) * max(op.arity, 1), {role: f"y.{role}" for role in weights})
    layouts = {f"y.{role}": Dense(array) for role, array in weights.items()}
    return Graph(Input("x", shape), (node,), "y", layouts)


def fits(graph: Graph) -> bool:
    try:
        verify(graph)
    except ShapeError:
        return False
    return True


@given(
    SEED,
    st.tuples(FEW, FEW),
    st.tuples(FEW, FEW),
    st.tuples(FEW, FEW),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.sampled_from([1, 2, 4]),
    st.sampled_from((*ops.ACTIVATIONS, leaky_relu(0.1))),
    st.sets(st.sampled_from(["scale", "bias"])),
)
def test_conv2d(seed, kernel, stride, dilation, padding, groups, activation, vectors) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((4, 4 // groups, *kernel))
    others = {role: rng.standard_normal(4) for role in vectors}
    op = ops.Conv2d(stride, padding, dilation, groups, activation)
    graph = one(op, (1, 4, 8, 7), weight=weight, **others)
    assume(fits(graph))
    check(graph, (3, 4, 8, 7), seed)


@given(
    SEED,
    st.tuples(st.integers(2, 9), st.integers(2, 9)),
    st.tuples(FEW, FEW),
    st.tuples(FEW, FEW),
    st.tuples(*[st.integers(0, 1)] * 4),
    st.booleans(),
    st.sampled_from(["max", "counted", "uncounted"]),
)
def test_pools(seed, size, kernel, stride, padding, ceil_mode, kind) -> None:
    half = tuple(min(padding[side], kernel[side % 2] // 2) for side in range(4))
    if kind == "max":
        op: ops.Op = ops.MaxPool2d(kernel, stride, half, (1, 1), ceil_mode)
    else:
        op = ops.AvgPool2d(kernel, stride, half, ceil_mode, kind == "counted")
    graph = one(op, (1, 2, *size))
    assume(fits(graph))
    check(graph, seed=seed)


def test_dilated_max_pool() -> None:
    check(one(ops.MaxPool2d((2, 2), (1, 1), (1, 0, 1, 0), (2, 3)), (1, 2, 7, 7)))


@pytest.mark.parametrize("activation", [*ops.ACTIVATIONS, leaky_relu(-0.5)])
def test_operators_without_a_window(activation: str, rng: np.random.Generator) -> None:
    picture, vector = (1, 6, 3, 4), (1, 6)
    two = {"scale": rng.standard_normal(6), "shift": rng.standard_normal(6)}
    weights = {"weight": rng.standard_normal((5, 6)), "bias": rng.standard_normal(5)}
    check(one(ops.Linear(activation), vector, **weights), (4, 6))
    check(one(ops.Linear(), vector, weight=weights["weight"], scale=weights["bias"]))
    check(one(ops.ScaleShift(), picture, **two))
    check(one(ops.ScaleShift(), vector, **two))
    check(one(ops.Activation(activation), picture))
    check(one(ops.GlobalAvgPool(), picture))
    check(one(ops.Add(activation), picture))
    check(one(ops.Concat(), picture))
    check(one(ops.ChannelPermute((3, 1, 2, 0, 5, 4)), picture))
    check(one(ops.Flatten(), picture), (2, 6, 3, 4))
    check(one(ops.Multiply(), picture))
    check(one(ops.Softmax(), picture))
    for shape in (picture, vector):
        check(one(ops.LayerNorm(1e-3), shape, **two))
    check(one(ops.Softmax(), vector))
    for shape in (picture, vector):
        check(one(ops.ChannelSelect((5, 0, 0)), shape))
        check(one(ops.ChannelSelect((-1, 5, 0, -1)), shape))
    check(one(ops.LocalResponseNorm(3, 0.5, 0.75, 2.0), picture))
    for shape in (picture, vector):
        check(one(ops.Threshold(), shape, threshold=two["shift"]))
        check(one(ops.Threshold(), shape, threshold=np.full(6, 0.25)))


@pytest.mark.parametrize("over", ops.COMPETITIONS)
@pytest.mark.parametrize("density", [0.001, 0.3, 1.0])
def test_k_winners_of_any_size(over: str, density: float) -> None:
    """How many win is computed in the file, of the size that the picture has."""
    op = ops.KWinners(density, over)
    check(one(op, (1, 6)), (4, 6))
    graph = one(op, (1, 6, 3, 4))
    graph = replace(graph, input=Input("x", (1, 6, 3, 4), frozenset({0, 2, 3})))
    check(graph, (2, 6, 3, 4))
    check(graph, (2, 6, 5, 2))


@given(SEED)
def test_random_graphs(random_graph: Callable[[int], Graph], seed: int) -> None:
    check(random_graph(seed), seed=seed)


def test_free_axes_are_symbolic_and_others_are_not() -> None:
    graph = one(ops.GlobalAvgPool(), (1, 3, 8, 8))
    graph = replace(graph, input=Input("x", (1, 3, 8, 8), frozenset({0, 3})))
    sizes = to_onnx(graph).graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["N", 3, 8, "W"]
    check(graph, (2, 3, 8, 5))


def test_a_codebook_and_a_shared_weight() -> None:
    weight = Codebook.from_dense(np.array([[0.5, 0.0], [0.5, -1.0]]))
    nodes = (
        Node("w", ops.Linear(), ("x",), {"weight": "w"}),
        Node("v", ops.Linear(), ("w",), {"weight": "w", "scale": "s"}),
    )
    layouts = {"w": weight, "s": Dense(np.array([2.0, 3.0]))}
    graph = Graph(Input("x", (1, 2)), nodes, "v", layouts)
    check(graph)  # also: the weight has the name of a value, which ONNX does not allow


def test_an_empty_graph_is_the_identity() -> None:
    check(Graph(Input("x", (1, 2, 3, 3)), (), "x", {}))


def test_states_its_operator_set(tmp_path: Path) -> None:
    path = save_onnx(one(ops.Flatten(), (1, 2, 3, 3)), tmp_path / "net.onnx")
    model = onnx.load(path)
    assert model.opset_import[0].version == OPERATOR_SET >= 17
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(OSError, match=r"net\.onnx"):
        save_onnx(one(ops.Flatten(), (1, 2, 3, 3)), tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"gossamer\[onnx\]"):
        to_onnx(one(ops.Flatten(), (1, 2, 3, 3)))
