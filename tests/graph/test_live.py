from __future__ import annotations

import numpy as np
import pytest

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.live import LivePeak, live_peak
from gossamer.graph.ops import (
    Activation,
    Add,
    ChannelPermute,
    Concat,
    Conv2d,
    GlobalAvgPool,
    MaxPool2d,
    Op,
)

PLANE = 4 * 8 * 8
"""Bytes of a channel; convolutions are 1×1 from four channels to four."""
VALUE = 4 * PLANE


def graph(*nodes: tuple[str, Op, tuple[str, ...]]) -> Graph:
    """Return a graph of nodes (name, operator, inputs) on four channels of 8×8."""
    made = tuple(
        Node(name, op, inputs, {"weight": "w"} if isinstance(op, Conv2d) else {})
        for name, op, inputs in nodes
    )
    weights = {"w": Dense(np.ones((4, 4, 1, 1), np.float32))}
    return Graph(Input("x", (1, 4, 8, 8)), made, made[-1].name, weights)


def test_a_chain_holds_what_is_read_and_what_is_made() -> None:
    chain = graph(("a", Conv2d(), ("x",)), ("b", Conv2d(), ("a",)), ("c", Conv2d(), ("b",)))
    assert live_peak(chain) == LivePeak("a", 2 * VALUE)


def test_what_is_read_later_stays() -> None:
    late = graph(
        ("a", Conv2d(), ("x",)),
        ("b", MaxPool2d((1, 1), (1, 1)), ("a",)),
        ("c", Concat(), ("b", "x")),
    )
    assert live_peak(late) == LivePeak("b", 3 * VALUE)


def test_elementwise_operators_work_in_place() -> None:
    one = graph(("a", Activation("relu"), ("x",)), ("b", GlobalAvgPool(), ("a",)))
    assert live_peak(one) == LivePeak("b", VALUE + 4 * 4)


def test_an_input_that_is_read_again_is_not_overwritten() -> None:
    two = graph(("a", Activation("relu"), ("x",)), ("b", Add(), ("a", "x")))
    assert live_peak(two) == LivePeak("a", 2 * VALUE)


def test_concatenating_and_another_order_make_no_numbers() -> None:
    parts = graph(
        ("a", Conv2d(), ("x",)),
        ("b", Concat(), ("a", "x")),
        ("c", ChannelPermute((1, 0, *range(2, 8))), ("b",)),
        ("d", Concat(), ("c", "a")),
    )
    assert live_peak(parts) == LivePeak("a", 2 * VALUE)


@pytest.mark.parametrize("terms", [("a", "x"), ("x", "a")])
def test_a_sum_stands_where_its_other_term_was(terms: tuple[str, str]) -> None:
    block = graph(
        ("r", Activation("relu"), ("x",)),
        ("a", Conv2d(), ("r",)),
        ("b", Add(), terms),
    )
    assert live_peak(block).size_bytes == 2 * VALUE


def test_a_convolution_that_others_read_is_a_value_of_its_own() -> None:
    read = graph(
        ("r", Activation("relu"), ("x",)),
        ("a", Conv2d(), ("r",)),
        ("b", Add(), ("a", "x")),
        ("c", Add(), ("a", "b")),
    )
    assert live_peak(read).size_bytes == 3 * VALUE


def test_other_pictures() -> None:
    chain = graph(("a", Conv2d(), ("x",)))
    free = Graph(
        Input("x", (1, 4, 8, 8), frozenset({0, 2, 3})), chain.nodes, "a", dict(chain.weights)
    )
    assert live_peak(free, (4, 16, 16)).size_bytes == 2 * 4 * VALUE
    with pytest.raises(ShapeError):
        live_peak(free, (3, 8, 8))
