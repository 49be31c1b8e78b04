"""Runs of one network that fall to different levels, and runs of different networks."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.graph import Dense, Graph, Input, Node, interpret, verify
from gossamer.graph.ops import KWinners, Linear, Quantise, ScaleShift, Threshold
from gossamer.graph.stretches import agree_in_stretches

STEP = 0.125


@pytest.fixture
def graph(rng: np.random.Generator) -> Graph:
    nodes = (
        Node("q", Quantise(STEP), ("x",)),
        Node("a", Linear("relu"), ("q",), {"weight": "w"}),
        Node("r", Quantise(STEP), ("a",)),
        Node("b", Linear(), ("r",), {"weight": "v"}),
    )
    weights = {"w": Dense(rng.standard_normal((6, 4))), "v": Dense(rng.standard_normal((3, 6)))}
    return verify(Graph(Input("x", (1, 4), frozenset({0})), nodes, "b", weights))


def run(graph: Graph, x: np.ndarray, **given: np.ndarray) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    interpret(graph, x, values=values, given=given)
    return {**values, **given}


def test_a_tie_may_fall_to_either_level(graph: Graph, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4)).astype(np.float32)
    x[2, 1] = 2.5 * STEP  # halfway, and rounded to even
    own = run(graph, x)
    assert own["q"][2, 1] == 2 * STEP
    other = own["q"].copy()
    other[2, 1] = 3 * STEP
    theirs = run(graph, x, q=other)
    assert np.abs(theirs["b"] - own["b"]).max() > 1e-3
    assert agree_in_stretches(graph, x, theirs, theirs["b"])
    assert agree_in_stretches(graph, x, own, own["b"])


def test_any_other_level_is_a_difference(graph: Graph, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4)).astype(np.float32)
    x[2, 1] = 2.3 * STEP
    other = run(graph, x)["q"].copy()
    other[2, 1] += STEP
    theirs = run(graph, x, q=other)
    assert not agree_in_stretches(graph, x, theirs, theirs["b"])
    x[2, 1] = 2.5 * STEP
    other[2, 1] = 4 * STEP  # a choice, but not of this one
    theirs = run(graph, x, q=other)
    assert not agree_in_stretches(graph, x, theirs, theirs["b"])


def test_other_weights_are_a_difference(graph: Graph, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4)).astype(np.float32)
    for name in ("w", "v"):
        changed = graph.weights[name].to_dense() * np.float32(1.03)
        other = Graph(graph.input, graph.nodes, "b", {**graph.weights, name: Dense(changed)})
        theirs = run(other, x)
        assert not agree_in_stretches(graph, x, theirs, theirs["b"]), name


def test_values_of_other_shapes_are_not_given(graph: Graph, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4)).astype(np.float32)
    own = run(graph, x)
    assert agree_in_stretches(graph, x, {"q": own["q"][:, :2]}, own["b"])
    assert not agree_in_stretches(graph, x, {}, own["b"] + 1)


@pytest.mark.parametrize("kind", ["threshold", "winners"])
def test_other_jumps_may_differ_on_their_edge_only(kind: str) -> None:
    """Two runs before which an entry was moved by rounding, and by more than that."""
    op = Threshold() if kind == "threshold" else KWinners(0.5)
    roles = {"threshold": "t"} if kind == "threshold" else {}
    nodes = (
        Node("a", ScaleShift(), ("x",), {"scale": "one", "shift": "none"}),
        Node("jump", op, ("a",), roles),
        Node("b", ScaleShift(), ("jump",), {"scale": "one", "shift": "none"}),
    )
    weights = {
        "one": Dense(np.full(4, 1.0)),
        "none": Dense(np.zeros(4)),
        "t": Dense(np.full(4, 0.5)),
    }
    used = weights if kind == "threshold" else {k: weights[k] for k in ("one", "none")}
    graph = Graph(Input("x", (1, 4)), nodes, "b", used)
    x = np.array([[0.5 + 1e-7, 0.5, 2.0, 0.1]], np.float32)
    for entry, moved, agrees in ((0, 2e-7, True), (2, 1.9, False)):
        other = x.copy()
        other[0, entry] -= moved
        theirs: dict[str, np.ndarray] = {}
        interpret(graph, other, values=theirs)
        assert agree_in_stretches(graph, x, theirs, theirs["b"]) == agrees
