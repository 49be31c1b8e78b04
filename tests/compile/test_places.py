"""Where values lie: shared memory changes no result, and cuts save work."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from gossamer.compile.lowering import lower
from gossamer.compile.places import assign_places, choose_places
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Add, AvgPool2d, ChannelPermute, Concat, Conv2d, MaxPool2d, Op
from gossamer.graph.verify import infer_shapes
from tests.compile.graphs import assert_equals_interpreter

CHANNELS = 4


class Builder:
    """Collects nodes; weights have as many rows as asked."""

    def __init__(self, size: int = 9) -> None:
        self.rng, self.nodes, self.weights = np.random.default_rng(0), [], {}
        self.shapes = {"x": CHANNELS}
        self.size = size

    def conv(self, name: str, source: str, rows: int = CHANNELS, stride: int = 1) -> Builder:
        shape = (rows, self.shapes[source], 3, 3)
        self.weights[name] = Dense(self.rng.standard_normal(shape).astype(np.float32) / 6)
        op = Conv2d((stride, stride), (1, 1, 1, 1), activation="relu")
        self.nodes.append(Node(name, op, (source,), {"weight": name}))
        self.shapes[name] = rows
        return self

    def add(self, name: str, op: Op, *inputs: str) -> Builder:
        self.nodes.append(Node(name, op, inputs, {}))
        self.shapes[name] = sum(
            self.shapes[i] for i in (inputs if op.kind == "concat" else inputs[:1])
        )
        return self

    def graph(self) -> Graph:
        source = Input("x", (1, CHANNELS, self.size, self.size))
        return Graph(source, tuple(self.nodes), self.nodes[-1].name, self.weights)


def fire(b: Builder) -> set[str]:
    b.conv("a", "x").conv("b", "a").conv("c", "a", 3).add("j", Concat(), "b", "c").conv("end", "j")
    return {"b", "c"}


def dense(b: Builder) -> set[str]:
    b.conv("a", "x").conv("b", "a").add("j", Concat(), "a", "b").conv("c", "j")
    b.add("k", Concat(), "j", "c").conv("d", "k").add("l", Concat(), "k", "d").conv("end", "l")
    return {"a", "b", "c", "d", "j", "k"}


def sparse(b: Builder) -> set[str]:
    """A value in two concatenations lies in the first and is copied to the second."""
    b.conv("a", "x").conv("b", "a").add("j", Concat(), "a", "b").conv("c", "j")
    b.add("k", Concat(), "c", "a").conv("end", "k")
    return {"a", "b", "c"}


def pooled(b: Builder) -> set[str]:
    b.conv("a", "x").add("p", MaxPool2d((3, 3), (1, 1), (1, 1, 1, 1)), "a").conv("b", "a")
    b.add("q", AvgPool2d((3, 3), (1, 1), (1, 1, 1, 1)), "b").add("j", Concat(), "p", "q", "b")
    b.add("end", MaxPool2d((3, 3), (2, 2), (1, 1, 1, 1)), "j")
    return {"p", "q", "b"}


def permuted(b: Builder) -> set[str]:
    b.conv("a", "x").add("p", ChannelPermute((2, 0, 3, 1)), "a").conv("b", "p")
    b.add("j", Concat(), "p", "b", "a").conv("end", "j")
    return {"b", "a"}


def twice(b: Builder) -> set[str]:
    b.conv("a", "x").conv("b", "a").add("j", Concat(), "a", "b", "a").conv("end", "j")
    return {"b"}


def summed(b: Builder) -> set[str]:
    b.conv("a", "x").conv("b", "a").add("s", Add(), "a", "b").conv("c", "s")
    b.add("j", Concat(), "s", "c", "b").conv("end", "j")
    return {"s", "c", "b"}


CASES = (fire, dense, sparse, pooled, permuted, twice, summed)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lanes", [4, 16])
def test_parts_are_made_in_their_concatenation(case, lanes: int) -> None:
    for size in (7, 9, 20):
        builder = Builder(size)
        hosted = case(builder)
        graph = builder.graph()
        assert set(assign_places(graph, infer_shapes(graph, graph.input.example)).hosts) == hosted
        x = builder.rng.standard_normal((2, CHANNELS, size, size)).astype(np.float32)
        assert_equals_interpreter(graph, x, lanes=lanes)
        assert_equals_interpreter(graph, x, lanes=lanes, threads=2)


def test_a_cut_saves_lanes() -> None:
    """Four strides from 56 to 4 pixels: one region would give the first picture 64."""
    builder = Builder(56)
    for i, source in enumerate(["x", "a0", "a1", "a2"]):
        builder.conv(f"a{i}", source, 16, 1 if i == 0 else 2)
    builder.conv("a4", "a3", 16, 2)
    graph = builder.graph()
    shapes = infer_shapes(graph, graph.input.example)
    best = choose_places(graph, shapes, 16)
    assert best.cuts
    assert best.cost(shapes, 16) < assign_places(graph, shapes).cost(shapes, 16)
    x = builder.rng.standard_normal(graph.input.example).astype(np.float32)
    assert_equals_interpreter(graph, x)


def test_across_a_cut_a_pointwise_convolution_with_a_stride_picks_its_pixels() -> None:
    b = Builder(27).conv("a", "x").conv("b", "a", stride=2)
    b.weights["s"] = Dense(b.rng.standard_normal((CHANNELS, CHANNELS, 1, 1)).astype(np.float32))
    b.nodes.append(Node("s", Conv2d((2, 2)), ("a",), {"weight": "s"}))
    graph = b.add("end", Add("relu"), "b", "s").graph()
    shapes = infer_shapes(graph, graph.input.example)
    cut = assign_places(graph, shapes, frozenset({(27, 27)}))
    assert [*cut.picks.values()] == [(2, 2)]
    assert cut.size("a", cut.reads["s"], shapes["a"]) == (14, 14)
    assert cut.homes["b"] == cut.homes["s"] == cut.reads["s"]
    assert not assign_places(graph, shapes).picks
    x = b.rng.standard_normal(graph.input.example).astype(np.float32)
    with patch.object(lower, "choose_places", lambda *_: cut):
        assert_equals_interpreter(graph, x)


def test_what_is_picked_lies_elsewhere_than_what_was_made() -> None:
    """A stride that leaves a picture as large as it was would bring both to one place."""
    rng = np.random.default_rng(0)
    shape = (1, CHANNELS, 8, 8)
    weights = {
        "wide": Dense(rng.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32)),
        "point": Dense(rng.standard_normal((CHANNELS, CHANNELS, 1, 1)).astype(np.float32)),
    }
    op = Conv2d((2, 2), (5, 5, 5, 5), activation="relu")
    wide = Node("wide", op, ("x",), {"weight": "wide"})
    point = Node("point", Conv2d((2, 2)), ("wide",), {"weight": "point"})
    graph = Graph(Input("x", shape), (wide, point), "point", weights)
    places = assign_places(graph, infer_shapes(graph), frozenset({(8, 8)}))
    assert places.pick("wide", places.reads["point"]) == (2, 2)
    assert places.homes["wide"] != places.reads["point"]
    with patch.object(lower, "choose_places", lambda *_: places):
        assert_equals_interpreter(graph, rng.standard_normal(shape).astype(np.float32))
