"""Edits of a draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Dense, Graph, Input, Node, verify
from gossamer.graph.ops import Activation, Add, Linear
from gossamer.graph.rewrite.edit import Draft
from gossamer.graph.rewrite.pipeline import rewrite

RELU = Activation("relu")


def graph_of(*nodes: tuple[str, str], output: str | None = None) -> Graph:
    """A graph of activations and sums from (name, "the names it reads")."""
    made = [
        Node(n, RELU if " " not in reads else Add(), tuple(reads.split())) for n, reads in nodes
    ]
    return verify(Graph(Input("x", (1, 4)), tuple(made), output or made[-1].name, {}))


def shown(graph: Graph) -> list[tuple[str, str]]:
    return [(node.name, " ".join(node.inputs)) for node in graph.nodes]


@given(st.integers(0, 2**32 - 1))
def test_a_draft_that_is_not_edited_is_its_graph(
    random_graph: Callable[[int], Graph], seed: int
) -> None:
    graph = random_graph(seed)
    assert Draft(graph).graph() == graph


def test_makers_and_readers() -> None:
    draft = Draft(graph_of(("a", "x"), ("b", "a"), ("c", "a b"), ("d", "c"), output="c"))
    assert draft.maker("x") is None
    assert draft.maker("b") is draft.nodes["b"]
    assert draft.only_reader("a") is None
    assert draft.only_reader("b") is draft.nodes["c"]
    assert draft.only_reader("c") is None  # the world outside reads it, too
    assert [name for name in "xabcd" if draft.is_read(name)] == ["x", "a", "b", "c"]


def test_dropping_a_node_lets_its_readers_read_its_input() -> None:
    draft = Draft(graph_of(("a", "x"), ("b", "a"), ("c", "b b"), ("d", "c")))
    for name in ("b", "d"):
        draft.drop(draft.nodes[name])
    graph = draft.graph()
    assert shown(graph) == [("a", "x"), ("c", "a a")]
    assert graph.output == "c"
    assert draft.only_reader("a") is draft.nodes["c"]


def test_exchanging_two_nodes() -> None:
    draft = Draft(graph_of(("a", "x"), ("b", "a"), ("c", "b"), ("d", "b c")))
    draft.exchange(draft.nodes["a"], draft.nodes["b"])
    assert shown(verify(draft.graph())) == [("b", "x"), ("a", "b"), ("c", "a"), ("d", "a c")]


def test_new_weights_do_not_touch_those_of_others(rng: np.random.Generator) -> None:
    shared = {"weight": "b.weight"}
    nodes = (Node("a", Linear(), ("x",), shared), Node("b", Linear(), ("a",), shared))
    weights = {"b.weight": Dense(rng.standard_normal((4, 4)))}
    draft = Draft(Graph(Input("x", (1, 4)), nodes, "b", weights))
    ones = Dense(np.ones((4, 4)))
    changed = draft.hold(draft.nodes["b"], weight=ones)
    assert changed.weights == {"weight": "b.weight_2"}
    assert draft.graph().weights == weights | {"b.weight_2": ones}
    changed = draft.reorder(changed, ("weight",), np.array([3, 2, 1, 0]), axis=1)
    assert changed.weights == {"weight": "b.weight_2"}
    draft.put(replace(draft.nodes["a"], weights={"weight": "b.weight_2"}))
    assert list(draft.graph().weights) == ["b.weight_2"]


def test_nodes_of_a_kind_are_those_that_still_are() -> None:
    draft = Draft(graph_of(("a", "x"), ("b", "a"), ("c", "b"), ("d", "c")))
    seen = []
    for node in draft.of_kind(Activation):
        seen.append(node.name)
        if node.name == "a":
            draft.drop(draft.nodes["b"])
            draft.put(Node("c", Add(), ("a", "a")))
    assert seen == ["a", "d"]


def test_rewrites_of_a_very_deep_network() -> None:
    """Minutes, if an edit took as long as the graph is large."""
    depth, nodes, last = 5000, [], "x"
    for index in range(depth):
        nodes.append(Node(f"l{index}", Linear(), (last,), {"weight": "w"}))
        nodes.append(Node(f"r{index}", RELU, (f"l{index}",)))
        last = f"r{index}"
    graph = Graph(Input("x", (1, 2)), tuple(nodes), last, {"w": Dense(np.ones((2, 2)))})
    assert len(rewrite(graph).nodes) == depth
