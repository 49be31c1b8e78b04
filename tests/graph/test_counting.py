"""Parameters, nonzeros, MACs, live memory and depth of graphs."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Graph, Input, Node, infer_shapes
from gossamer.graph.counting import count
from gossamer.graph.ops import (
    Activation,
    Add,
    ChannelPermute,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
)


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


RELU = Activation("relu")


def unweighted(*nodes: Node, shape: tuple[int, ...] = (1, 4, 2, 2)) -> Graph:
    """A graph without weights; its last node makes the output."""
    return Graph(Input("x", shape), nodes, nodes[-1].name, {})


def conv1x1(name: str, source: str) -> Node:
    return Node(name, Conv2d(), (source,), {"weight": "w"})


def peak(graph: Graph) -> int:
    return count(graph).peak_live_bytes


def test_a_chain_holds_two_neighbours(graph: Graph) -> None:
    """36 in, 64 made; the flattening is the same 64; then 64 and 10."""
    assert peak(graph) == 4 * (36 + 64)
    assert peak(graph) == count(replace(graph, input=Input("x", (1, 1, 6, 6)))).peak_live_bytes


def test_a_residual_keeps_its_shortcut() -> None:
    nodes = (Node("a", RELU, ("x",)), Node("b", RELU, ("a",)), Node("s", Add(), ("b", "x")))
    assert peak(unweighted(*nodes)) == 3 * 64
    assert peak(unweighted(*nodes[:2])) == 2 * 64


def test_a_concat_makes_a_value_beside_its_parts() -> None:
    nodes = (
        Node("a", RELU, ("x",)),
        Node("b", RELU, ("x",)),
        Node("c", Concat(), ("a", "b")),
        Node("p", GlobalAvgPool(), ("c",)),
    )
    assert peak(unweighted(*nodes)) == 64 + 64 + 128  # the input has been read by then


def test_a_value_that_nobody_reads_lives_for_one_step() -> None:
    nodes = (
        Node("c", Concat(), ("x", "x", "x")),
        Node("a", RELU, ("x",)),
        Node("b", RELU, ("a",)),
    )
    assert peak(unweighted(*nodes)) == 64 + 192
    assert count(unweighted(*nodes[1:])).peak_live_bytes == 128


def test_permutations_and_flattenings_share_memory() -> None:
    order = ChannelPermute((1, 0, 3, 2))
    alone = (Node("p", order, ("x",)), Node("f", Flatten(), ("p",)))
    assert peak(unweighted(*alone)) == 64
    # The last reader of any of the names ends the life of the memory.
    nodes = (Node("p", order, ("x",)), Node("a", RELU, ("x",)), Node("s", Add(), ("a", "p")))
    assert peak(unweighted(*nodes)) == 3 * 64


def test_an_output_that_is_read_again_stays() -> None:
    graph = replace(unweighted(Node("a", RELU, ("x",)), Node("b", RELU, ("a",))), output="a")
    assert peak(graph) == 2 * 64
    longer = unweighted(*graph.nodes, Node("c", RELU, ("b",)))
    assert (peak(longer), peak(replace(longer, output="a"))) == (128, 192)


def test_no_nodes_hold_the_input() -> None:
    graph = Graph(Input("x", (7, 4, 2, 2)), (), "x", {})
    assert (peak(graph), count(graph).depth) == (64, 0)


def test_peak_at_another_size(graph: Graph) -> None:
    conv_only = graph.with_nodes(graph.nodes[:1], graph.weights, "c")
    assert count(conv_only, (1, 1, 10, 6)).peak_live_bytes == 4 * (60 + 4 * 8 * 4)


def test_depth_is_that_of_the_longest_path_to_the_output(graph: Graph) -> None:
    assert count(graph).depth == 2
    nodes = (
        conv1x1("a", "x"),
        conv1x1("b", "a"),
        conv1x1("short", "x"),
        Node("s", Add(), ("b", "short")),
        conv1x1("c", "s"),
        conv1x1("aside", "c"),
    )
    weights = {"w": Dense(np.ones((4, 4, 1, 1)))}
    residual = Graph(Input("x", (1, 4, 2, 2)), nodes, "c", weights)
    assert count(residual).depth == 3
    assert count(replace(residual, output="short")).depth == 1


@st.composite
def wirings(draw: st.DrawFn) -> Graph:
    """Nodes in any wiring, on values of one size."""
    nodes: list[Node] = []
    names = ["x"]
    for number in range(draw(st.integers(1, 8))):
        name, read = f"v{number}", st.sampled_from(names)
        op = draw(st.sampled_from([RELU, Add(), ChannelPermute((3, 1, 0, 2))]))
        inputs = tuple(draw(read) for _ in range(op.arity))
        nodes.append(Node(name, op, inputs))
        names.append(name)
    return unweighted(*nodes)


@given(wirings())
def test_peak_lies_between_the_largest_value_and_all(graph: Graph) -> None:
    sizes = {name: 4 * prod(shape[1:]) for name, shape in infer_shapes(graph).items()}
    assert max(sizes.values()) <= peak(graph) <= sum(sizes.values())


@given(wirings())
def test_peak_is_what_running_the_nodes_by_hand_holds(graph: Graph) -> None:
    """Keep arrays in a set and drop each one before the node after its last reader runs."""
    views = {"x": "x"}
    for node in graph.nodes:
        shares = isinstance(node.op, ChannelPermute)
        views[node.name] = views[node.inputs[0]] if shares else node.name
    held, most = {"x"}, 64
    for index, node in enumerate(graph.nodes):
        held.add(views[node.name])
        most = max(most, 64 * len(held))
        wanted = {views[name] for later in graph.nodes[index + 1 :] for name in later.inputs}
        held &= wanted | {views[graph.output]}
    assert peak(graph) == most
