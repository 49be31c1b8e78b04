"""The immutable value that a network is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Activation, Add, Linear


@pytest.fixture
def graph() -> Graph:
    nodes = (
        Node("a", Linear(), ("x",), {"weight": "w"}),
        Node("b", Activation("relu"), ("a",)),
        Node("c", Add(), ("a", "b")),
    )
    return Graph(Input("x", (1, 3)), nodes, "c", {"w": Dense(np.ones((3, 3)))})


def test_nothing_can_be_changed(graph: Graph) -> None:
    with pytest.raises(FrozenInstanceError):
        graph.output = "a"  # type: ignore[misc]
    with pytest.raises(TypeError):
        graph.weights["w"] = Dense(np.ones(1))  # type: ignore[index]
    with pytest.raises(TypeError):
        graph.nodes[0].weights["weight"] = "v"  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        graph.weights["w"].to_dense()[0] = 5


def test_nodes_and_readers_by_name(graph: Graph) -> None:
    assert graph.node("b").inputs == ("a",)
    assert [node.name for node in graph.readers("a")] == ["b", "c"]
    assert graph.weight_shapes(graph.node("a")) == {"weight": (3, 3)}


def test_with_nodes_drops_unused_weights(graph: Graph) -> None:
    shorter = graph.with_nodes([Node("r", Activation("relu"), ("x",))], graph.weights, "r")
    assert dict(shorter.weights) == {}
    assert shorter.output == "r"


def test_equality_is_by_content(graph: Graph) -> None:
    assert graph == replace(graph, weights={"w": Dense(np.ones((3, 3)))})
    assert graph != replace(graph, weights={"w": Dense(np.zeros((3, 3)))})
    assert graph != replace(graph, name="other")
    assert graph != "graph"


def test_which_shapes_an_input_accepts() -> None:
    free = Input("x", (1, 3, 8, 8), frozenset({0, 3}))
    assert free.accepts((7, 3, 8, 1))
    assert not free.accepts((7, 3, 9, 1))
    assert not free.accepts((0, 3, 8, 8))
    assert not free.accepts((1, 3, 8))
