"""Tails: what belongs to them, and that they compute over pictures what they do image by image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.errors import ShapeError
from gossamer.graph import Codebook, Dense, Graph, Input, Node, Quantised, Sparse, interpret
from gossamer.graph.layouts import LAYOUTS, Layout
from gossamer.graph.ops import (
    OPS,
    Activation,
    Add,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    LayerNorm,
    Linear,
    Multiply,
    Op,
    Quantise,
    ScaleShift,
    Softmax,
    Threshold,
)
from gossamer.graph.tail import find_tail, over_pictures
from gossamer.graph.verify import verify
from tests.compile.graphs import sparse_array
from tests.compile.random_graphs import ON_VECTORS, Growing

FULL = {"weight": "full"}
WEIGHTS = {"full": Dense(np.ones((4, 4))), "filter": Dense(np.ones((4, 4, 1, 1)))}
CONV = Node("conv", Conv2d(), ("x",), {"weight": "filter"})
POOL = Node("pool", GlobalAvgPool(), ("conv",))
FLAT = Node("flat", Flatten(), ("pool",))


def graph_of(*nodes: Node, shape: tuple[int, ...] = (2, 4, 3, 3)) -> Graph:
    used = {name for node in nodes for name in node.weights.values()}
    weights = {name: layout for name, layout in WEIGHTS.items() if name in used}
    return verify(Graph(Input("x", shape), nodes, nodes[-1].name, weights))


def test_a_tail_begins_where_pictures_end() -> None:
    nodes = (CONV, POOL, FLAT, Node("fc", Linear(), ("flat",), FULL), Node("y", Softmax(), ("fc",)))
    tail = find_tail(graph_of(*nodes))
    assert tail is not None
    assert (tail.source, tail.features, tail.nodes) == ("flat", 4, nodes[3:])


def test_flat_networks_are_all_tail() -> None:
    nodes = (Node("relu", Activation("relu"), ("x",)), Node("fc", Linear(), ("relu",), FULL))
    tail = find_tail(graph_of(*nodes, shape=(1, 4)))
    assert tail is not None
    assert (tail.source, tail.nodes) == ("x", nodes)


def test_without_a_linear_layer_there_is_no_tail() -> None:
    assert find_tail(graph_of(CONV, POOL, FLAT, Node("y", Softmax(), ("flat",)))) is None


def test_linear_layers_that_pictures_come_after_are_none() -> None:
    gate = Node("gate", Linear("sigmoid"), ("flat",), FULL)
    gated = Node("gated", Multiply(), ("conv", "gate"))
    assert find_tail(graph_of(CONV, POOL, FLAT, gate, gated)) is None


def test_a_tail_reads_one_value() -> None:
    """Two flat values cannot be one picture; what is made of both can."""
    again = Node("again", Flatten(), ("pool",))
    first, second = (Node(f"fc {name}", Linear(), (name,), FULL) for name in ("flat", "again"))
    both = Node("both", Add(), ("fc flat", "fc again"))
    assert find_tail(graph_of(CONV, POOL, FLAT, again, first, second, both)) is None
    last = Node("last", Linear(), ("both",), FULL)
    tail = find_tail(graph_of(CONV, POOL, FLAT, again, first, second, both, last))
    assert tail is not None
    assert (tail.source, tail.nodes) == ("both", (last,))


OPERATORS: tuple[Op, ...] = (
    Activation("tanh"),
    Add("relu"),
    ChannelPermute((3, 0, 2, 1)),
    ChannelSelect((1, -1, 1)),
    Concat(),
    Flatten(),
    KWinners(0.5),
    KWinners(0.3, "image"),
    KWinners(0.3, "map"),
    LayerNorm(),
    Linear("relu6"),
    Multiply(),
    Quantise(0.25),
    ScaleShift(),
    Softmax(),
    Threshold(),
)


def is_flat(kind: type[Op]) -> bool:
    """Whether an operator of the list is of this kind."""
    return any(type(op) is kind for op in OPERATORS)


@pytest.mark.parametrize("kind", [kind for kind in OPS if not is_flat(kind)])
def test_other_operators_refuse_flat_values(kind: type[Op]) -> None:
    """So that the list below is all that a tail can hold."""
    made = {"MaxPool2d": ((1, 1), (1, 1)), "AvgPool2d": ((1, 1), (1, 1)), "LocalResponseNorm": (3,)}
    op = kind(*made.get(kind.__name__, ()))
    with pytest.raises(ShapeError):
        op.output_shape([(1, 4)], {"weight": (4, 4, 1, 1)})


@pytest.mark.parametrize("op", OPERATORS, ids=repr)
def test_each_operator_over_pictures(op: Op) -> None:
    rng = np.random.default_rng(0)
    sizes = {"weight": (4, 4)}
    arrays = {role: rng.standard_normal(sizes.get(role, 4)).astype(np.float32) for role in op.roles}
    first = Node("first", Linear(), ("x",), {"weight": "first"})
    inputs = ("first", "x")[: abs(op.arity)] if op.arity > 0 else ("first", "x")
    node = Node("y", op, inputs, {role: role for role in op.roles})
    weights = {"first": Dense(rng.standard_normal((4, 4)).astype(np.float32))}
    weights |= {role: Dense(array) for role, array in arrays.items()}
    graph = verify(Graph(Input("x", (1, 4)), (first, node), "y", weights))
    assert_same_over_pictures(graph, rng.standard_normal((5, 4)).astype(np.float32))


@settings(max_examples=50)
@given(seed=st.integers(0, 2**31))
def test_random_tails_over_pictures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    growing = Growing(rng, ["identity", "relu", "tanh"], {"x": (1, int(rng.integers(1, 9)))})
    growing.linear("x")
    for _ in range(int(rng.integers(0, 8))):
        ways = ON_VECTORS
        ways[int(rng.integers(len(ways)))](growing, growing._recent(list(growing.shapes)))
    growing.linear(growing.nodes[-1].name)
    graph = growing.finish((1, growing.shapes["x"][1]))
    x = rng.standard_normal((int(rng.integers(1, 7)), graph.input.example[1])).astype(np.float32)
    assert_same_over_pictures(graph, x)


@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_layouts_stay_what_they_are(kind: str) -> None:
    rng = np.random.default_rng(0)
    array = sparse_array(rng, (3, 5), 0.5)
    layout: Layout = {
        "dense": Dense.from_dense,
        "sparse": Sparse.from_dense,
        "codebook": Codebook.from_dense,
        "quantised": lambda a: Quantised(np.rint(9 * a).astype(np.int8), np.ones(3)),
    }[kind](array)
    node = Node("y", Linear(), ("x",), {"weight": "w"})
    graph = Graph(Input("x", (1, 5)), (node,), "y", {"w": layout})
    tail = find_tail(graph)
    assert tail is not None
    changed = over_pictures(graph, tail, 2).weights["w"]
    assert (changed.kind, changed.shape) == (kind, (3, 5, 1, 1))
    np.testing.assert_array_equal(changed.to_dense()[:, :, 0, 0], layout.to_dense())


def assert_same_over_pictures(graph: Graph, x: np.ndarray) -> None:
    tail = find_tail(graph)
    assert tail is not None
    values: dict[str, np.ndarray] = {}
    expected = interpret(graph, x, values=values, dtype=np.float64)
    pictures = verify(over_pictures(graph, tail, len(x)))
    y = interpret(pictures, values[tail.source].T[None, :, None, :], dtype=np.float64)
    np.testing.assert_allclose(y[0, :, 0].T, expected, rtol=1e-9, atol=1e-9)
