from __future__ import annotations

from math import inf

import numpy as np
import pytest

from gossamer.compile.readers import outside_value
from gossamer.compile.signs import is_nonnegative
from gossamer.graph import Graph, Input, Node, interpret
from gossamer.graph.ops import Activation, Add, AvgPool2d, ChannelPermute, Concat, MaxPool2d, Op
from tests.compile.graphs import assert_equals_interpreter, program

POOL = MaxPool2d((3, 3), (2, 2), (1, 1, 1, 1))
EMPTY = MaxPool2d((2, 2), (1, 1), (1, 1, 1, 1), dilation=(2, 2))
"""Over one pixel: each of its windows lies around it."""


def graph_of(*nodes: tuple[str, Op, tuple[str, ...]], size: int = 9) -> Graph:
    made = tuple(Node(name, op, inputs) for name, op, inputs in nodes)
    return Graph(Input("x", (1, 4, size, size)), made, made[-1].name, {})


RELU, TANH = ("a", Activation("relu"), ("x",)), ("b", Activation("tanh"), ("x",))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([RELU], True),
        ([TANH], False),
        ([RELU, ("p", AvgPool2d((2, 2), (1, 1)), ("a",)), ("q", POOL, ("p",))], True),
        ([RELU, ("c", Concat(), ("a", "a"))], True),
        ([RELU, TANH, ("c", Concat(), ("a", "b"))], False),
        ([RELU, ("c", Concat(), ("a", "x"))], False),
        ([RELU, ("s", Add(), ("a", "a"))], False),
        ([TANH, ("s", Add("relu"), ("b", "b"))], True),
        ([RELU, ("e", EMPTY, ("a",)), ("q", POOL, ("e",))], False),
        ([RELU, ("o", ChannelPermute((3, 1, 0, 2)), ("a",))], True),
    ],
)
def test_signs(nodes: list, expected: bool) -> None:
    graph = graph_of(*nodes)
    assert is_nonnegative(graph, graph.output) == expected


def test_a_largest_entry_may_have_zeros_beside_it_if_none_is_less() -> None:
    graph = graph_of(RELU, TANH, ("p", POOL, ("a",)), ("q", POOL, ("b",)))
    assert [outside_value(graph, node) for node in graph.nodes] == [None, None, 0.0, -inf]
    far = MaxPool2d((2, 2), (2, 2), (0, 0, 1, 1), dilation=(3, 3))
    assert outside_value(graph, Node("r", far, ("a",))) == -inf


@pytest.mark.parametrize("source", ["a", "b"])
def test_pooling_beside_the_edge(source: str) -> None:
    graph = graph_of(RELU, TANH, ("p", POOL, (source,)))
    x = -np.abs(np.random.default_rng(0).standard_normal((2, 4, 9, 9))).astype(np.float32)
    assert_equals_interpreter(graph, x)


def test_pooling_windows_that_lie_beside_the_picture() -> None:
    graph = graph_of(RELU, ("e", EMPTY, ("a",)), ("q", POOL, ("e",)), size=1)
    x = np.ones((2, 4, 1, 1), np.float32)
    assert np.isneginf(interpret(graph, x)).all()
    with program(graph) as compiled:
        assert np.isneginf(compiled(x)).all()
