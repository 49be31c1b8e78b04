"""Sums in place: where they are right, and that they change no result."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.compile.places import assign_places
from gossamer.compile.residuals import Uses
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Activation, Add, ChannelPermute, ChannelSelect, Conv2d, MaxPool2d, Op
from gossamer.graph.verify import infer_shapes
from tests.compile.graphs import assert_equals_interpreter

CHANNELS = 6


def conv(name: str, source: str, size: int = 3, activation: str = "identity") -> Node:
    op = Conv2d(padding=(size // 2,) * 4, activation=activation)
    return Node(name, op, (source,), {"weight": f"w{size}"})


def node(name: str, op: Op, *inputs: str) -> Node:
    return Node(name, op, inputs, {})


def network(*nodes: Node, output: str | None = None, size: int = 9) -> Graph:
    rng = np.random.default_rng(1)
    weights = {
        f"w{k}": Dense(rng.standard_normal((CHANNELS, CHANNELS, k, k)).astype(np.float32) / k)
        for k in {int(n.weights["weight"][1:]) for n in nodes if n.weights}
    }
    return Graph(Input("x", (1, CHANNELS, size, size)), nodes, output or nodes[-1].name, weights)


START = conv("a", "x", 1)
FITTING = {
    "shortcut": (START, conv("b", "a"), conv("c", "b"), node("s", Add("relu"), "c", "a")),
    "projection": (START, conv("b", "a"), conv("c", "a", 1), node("s", Add("relu"), "b", "c")),
    "chain": (
        START,
        conv("b", "a"), conv("c", "b"), node("s", Add("relu"), "a", "c"),
        conv("d", "s"), conv("e", "d"), node("t", Add(), "e", "s"),
        conv("end", "t"),
    ),
    "read before": (
        START, node("p", MaxPool2d((3, 3), (1, 1), (1, 1, 1, 1)), "a"),
        conv("b", "p"), node("s", Add(), "b", "a"), conv("end", "s"),
    ),
    "channels of zeros": (
        START, node("p", ChannelSelect((2, 0, -1, 1, 0, -1)), "a"), conv("b", "a"),
        node("s", Add("relu"), "b", "p"), conv("end", "s"),
    ),
}  # fmt: skip
UNFIT = {
    "read later": (
        START, conv("b", "a"), conv("c", "b"), node("s", Add(), "c", "a"),
        node("t", Add(), "s", "a"),
    ),
    "reads it itself": (START, conv("b", "a"), node("s", Add(), "b", "a")),
    "activated first": (
        START, conv("b", "a"), conv("c", "b", activation="relu"), node("s", Add(), "c", "a")
    ),
    "network's input": (conv("b", "x"), conv("c", "b"), node("s", Add(), "c", "x")),
    "twice the same": (START, conv("b", "a"), node("s", Add(), "b", "b")),
    "channels in another order": (
        START, node("p", ChannelPermute((1, 0, 3, 2, 5, 4)), "a"), conv("b", "a"), conv("c", "b"),
        node("s", Add(), "c", "p"),
    ),
    "a waiting convolution reads it": (
        START, conv("w", "a"), conv("b", "a"), conv("c", "b"), node("s", Add(), "c", "a"),
        node("t", Add(), "w", "s"),
    ),
}  # fmt: skip


def residuals(graph: Graph) -> set[str]:
    return set(assign_places(graph, infer_shapes(graph, graph.input.example)).residuals)


@pytest.mark.parametrize("nodes", FITTING.values(), ids=FITTING)
def test_sums_that_are_made_in_place(nodes: tuple[Node, ...]) -> None:
    sums = {n.name for n in nodes if isinstance(n.op, Add)}
    assert residuals(network(*nodes)) == sums


@pytest.mark.parametrize("nodes", UNFIT.values(), ids=UNFIT)
def test_sums_that_are_not(nodes: tuple[Node, ...]) -> None:
    assert "s" not in residuals(network(*nodes))


def test_the_networks_output_is_not_overwritten() -> None:
    nodes = (*FITTING["shortcut"], conv("end", "s"))
    assert residuals(network(*nodes, output="a")) == set()
    graph = network(*nodes, output="c")
    shapes = infer_shapes(graph, graph.input.example)
    assert Uses(graph, shapes).residual(nodes[3], {}) is None


@pytest.mark.parametrize("size", [1, 7, 9, 29])  # 29 columns of one lane have no good exact tile
@pytest.mark.parametrize("lanes", [4, 16])
@pytest.mark.parametrize("nodes", [*FITTING.values(), *UNFIT.values()], ids=[*FITTING, *UNFIT])
def test_results_stay(nodes: tuple[Node, ...], lanes: int, size: int) -> None:
    graph = network(*nodes, node("end2", Activation("relu"), nodes[-1].name), size=size)
    x = np.random.default_rng(2).standard_normal((2, CHANNELS, size, size)).astype(np.float32)
    assert_equals_interpreter(graph, x, lanes=lanes, measure=size == 9)
    assert_equals_interpreter(graph, x, lanes=lanes, threads=2)
