"""Which nodes make a layer, and which layer reads which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Graph, Input, Node
from gossamer.graph.layers import Layer, layers_of
from gossamer.graph.ops import Activation, Add, ChannelPermute, Concat, Flatten, Op

RELU = Activation("relu")
TURN = ChannelPermute((1, 0))  # stands for any operator that is a layer of its own


def graph_of(*nodes: tuple[str, Op, str], output: str | None = None) -> Graph:
    """A graph from (name, operator, "the names it reads")."""
    made = tuple(Node(name, op, tuple(inputs.split())) for name, op, inputs in nodes)
    return Graph(Input("x", (1, 2, 4, 4)), made, output or made[-1].name, {})


def shown(graph: Graph) -> list[tuple[str, tuple[int, ...]]]:
    return [(" ".join(n.name for n in layer.nodes), layer.reads) for layer in layers_of(graph)]


def test_what_follows_a_layer_joins_it() -> None:
    graph = graph_of(("a", TURN, "x"), ("r", RELU, "a"), ("f", Flatten(), "r"), ("b", TURN, "f"))
    assert shown(graph) == [("a r f", (0,)), ("b", (1,))]
    assert [layer.head.name for layer in layers_of(graph)] == ["a", "b"]


def test_an_activation_that_is_not_the_only_reader_joins_the_layer_behind_it() -> None:
    graph = graph_of(("a", TURN, "x"), ("r", RELU, "a"), ("b", TURN, "r"), ("s", Add(), "b a"))
    assert shown(graph) == [("a", (0,)), ("r b", (1,)), ("s", (1, 2))]
    assert layers_of(graph)[1].head.name == "b"


def test_an_activation_with_two_readers_is_a_layer() -> None:
    graph = graph_of(("r", RELU, "x"), ("a", TURN, "r"), ("b", TURN, "r"), ("s", Add(), "a b"))
    assert shown(graph) == [("r", (0,)), ("a", (1,)), ("b", (1,)), ("s", (2, 3))]


def test_a_residual_sum_stays_and_the_last_one_joins() -> None:
    graph = graph_of(
        ("a", TURN, "x"),
        ("s", Add(), "a x"),
        ("b", TURN, "s"),
        ("t", Add(), "b s"),
        ("r", RELU, "t"),
        ("c", TURN, "r"),
    )
    assert shown(graph) == [("a", (0,)), ("s", (0, 1)), ("b", (2,)), ("t r c", (2, 3))]
    assert layers_of(graph)[-1].head.name == "c"


def test_a_dense_block_becomes_links_from_each_to_each() -> None:
    graph = graph_of(
        ("a", TURN, "x"),
        ("c1", Concat(), "x a"),
        ("b", TURN, "c1"),
        ("c2", Concat(), "x a b"),
        ("n", RELU, "c2"),
        ("c", TURN, "n"),
    )
    assert shown(graph) == [("a", (0,)), ("c1 b", (0, 1)), ("c2 n c", (0, 1, 2))]


def test_a_chain_of_sums_is_one_sum() -> None:
    graph = graph_of(("a", TURN, "x"), ("b", TURN, "a"), ("s", Add(), "b a"), ("t", Add(), "s x"))
    assert shown(graph) == [("a", (0,)), ("b", (1,)), ("s t", (0, 1, 2))]
    assert layers_of(graph)[-1].head.name == "s"


def test_the_output_never_disappears_into_a_later_layer() -> None:
    graph = graph_of(("a", TURN, "x"), ("s", Add(), "a x"), ("b", TURN, "s"), output="s")
    assert shown(graph) == [("a", (0,)), ("s", (0, 1)), ("b", (2,))]


@pytest.mark.parametrize("nodes", [(), (("r", RELU, "x"),)])
def test_small_graphs(nodes: tuple[tuple[str, Op, str], ...]) -> None:
    made = tuple(Node(name, op, tuple(inputs.split())) for name, op, inputs in nodes)
    graph = Graph(Input("x", (1, 2, 4, 4)), made, made[-1].name if made else "x", {})
    assert len(layers_of(graph)) == len(nodes)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names, nodes = ["x"], []
    for number in range(draw(st.integers(1, 10))):
        op = draw(st.sampled_from([TURN, RELU, Add(), Concat(), Flatten()]))
        arity = op.arity if op.arity > 0 else draw(st.integers(1, 3))
        read = " ".join(draw(st.sampled_from(names)) for _ in range(arity))
        nodes.append((f"v{number}", op, read))
        names.append(f"v{number}")
    return graph_of(*nodes, output=draw(st.sampled_from(names[1:])))


@given(graphs())
def test_layers_split_the_nodes_and_read_only_values_of_earlier_layers(graph: Graph) -> None:
    layers = layers_of(graph)
    assert sorted(n.name for layer in layers for n in layer.nodes) == sorted(
        n.name for n in graph.nodes
    )
    assert [layer.number for layer in layers] == list(range(1, len(layers) + 1))
    made: dict[str, int] = {graph.input.name: 0} | {layer.value: layer.number for layer in layers}
    for layer in layers:
        assert reads_of(layer, made) == set(layer.reads)
        assert max(layer.reads) < layer.number
    assert graph.output in made


def reads_of(layer: Layer, made: dict[str, int]) -> set[int]:
    """What a layer reads from outside; a KeyError means that it reads inside another one."""
    inside = {node.name for node in layer.nodes}
    return {made[name] for node in layer.nodes for name in node.inputs if name not in inside}
