"""Parameters, nonzeros and MACs of graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.counting import count
from gossamer.graph.ops import Conv2d, Flatten, Linear


@pytest.fixture
def graph() -> Graph:
    """LeNet-like: 4 filters 3×3 on 1×6×6, half of them zero, and a head 64 → 10."""
    weight = np.ones((4, 1, 3, 3))
    weight[:2] = 0
    nodes = (
        Node("c", Conv2d(), ("x",), {"weight": "w", "bias": "b"}),
        Node("f", Flatten(), ("c",)),
        Node("l", Linear(), ("f",), {"weight": "v"}),
    )
    weights = {"w": Dense(weight), "b": Dense(np.zeros(4)), "v": Dense(np.ones((10, 64)))}
    return Graph(Input("x", (5, 1, 6, 6), frozenset({0, 2, 3})), nodes, "l", weights)


def test_by_node_and_in_total(graph: Graph) -> None:
    total = count(graph)
    conv, flatten, linear = total.nodes
    assert (conv.parameters, conv.weights, conv.nonzeros) == (40, 36, 18)
    assert (conv.macs, conv.effective_macs) == (576, 288)
    assert (flatten.kind, flatten.parameters, flatten.macs) == ("flatten", 0, 0)
    assert (linear.macs, linear.effective_macs) == (640, 640)
    assert (total.parameters, total.weights, total.nonzeros) == (680, 676, 658)
    assert (total.macs, total.effective_macs) == (1216, 928)
    assert total.sparsity == pytest.approx(18 / 676)


def test_at_another_size(graph: Graph) -> None:
    conv_only = graph.with_nodes(graph.nodes[:1], graph.weights, "c")
    assert count(conv_only, (1, 1, 10, 6)).macs == 36 * 8 * 4
    with pytest.raises(ShapeError):
        count(conv_only, (1, 1, 2, 2))


def test_a_shared_weight_counts_once_as_parameters_and_twice_as_macs() -> None:
    nodes = (
        Node("a", Linear(), ("x",), {"weight": "w"}),
        Node("b", Linear(), ("a",), {"weight": "w"}),
    )
    graph = Graph(Input("x", (1, 3)), nodes, "b", {"w": Dense(np.eye(3))})
    total = count(graph)
    assert (total.parameters, total.nonzeros) == (9, 3)
    assert (total.macs, total.effective_macs) == (18, 6)


def test_a_graph_without_weights(graph: Graph) -> None:
    empty = replace(graph, nodes=(), output="x", weights={})
    assert count(empty).sparsity == 0
