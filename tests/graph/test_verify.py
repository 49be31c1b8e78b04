"""Each way in which a graph can be ill formed is found and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.errors import GossamerError, GraphError, ShapeError
from gossamer.graph import Dense, Graph, Input, Node, infer_shapes, verify
from gossamer.graph.ops import Activation, Add, Concat, Conv2d, Flatten, GlobalAvgPool, Linear

RELU = Node("a", Activation("relu"), ("x",))
CONV = Node("c", Conv2d(), ("x",), {"weight": "w"})
WEIGHTS = {"w": Dense(np.ones((4, 3, 3, 3)))}
GOOD = Graph(Input("x", (1, 3, 8, 8), frozenset({0, 2, 3})), (CONV,), "c", WEIGHTS)


def test_a_good_graph_is_returned() -> None:
    assert verify(GOOD) is GOOD


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (replace(GOOD, nodes=(CONV, CONV)), "'c'.*name used twice"),
        (replace(GOOD, nodes=(replace(CONV, name="x"),)), "'x'.*name used twice"),
        (replace(GOOD, nodes=(replace(CONV, inputs=("y",)),)), "'c'.*not made before.*y"),
        (replace(GOOD, nodes=(replace(CONV, inputs=("c",)),)), "'c'.*not made before.*c"),
        (replace(GOOD, nodes=(replace(CONV, inputs=("x", "x")),)), "'c'.*number of inputs.*2"),
        (replace(GOOD, nodes=(CONV, Node("d", Concat(), ()))), "'d'.*number of inputs"),
        (replace(GOOD, nodes=(CONV, Node("d", Add(), ("c",)))), "'d'.*number of inputs"),
        (replace(GOOD, nodes=(replace(CONV, weights={}),)), "'c'.*wrong weights"),
        (replace(GOOD, nodes=(replace(RELU, weights={"weight": "w"}),)), "'a'.*wrong weights"),
        (replace(GOOD, nodes=(replace(CONV, weights={"weight": "v"}),)), "'c'.*missing.*v"),
        (replace(GOOD, weights=WEIGHTS | {"v": WEIGHTS["w"]}), "weight 'v'.*no node uses"),
        (replace(GOOD, output="y"), "output is a value that no node makes.*y"),
        (
            replace(GOOD, weights={"w": Dense(np.ones((4, 2, 3, 3)))}),
            "'c'.*does not fit 3 channels",
        ),
        (replace(GOOD, weights={"w": Dense(np.ones((4, 3, 9, 3)))}), "'c'.*larger than its padded"),
        (replace(GOOD, input=Input("x", (1, 3, 8))), "input 'x'.*bad shape"),
        (replace(GOOD, input=Input("x", (0, 3, 8, 8))), "input 'x'.*bad shape"),
        (
            replace(GOOD, input=Input("x", (1, 3, 8, 8), frozenset({1}))),
            "input 'x'.*cannot be free",
        ),
        (
            replace(GOOD, input=Input("x", (1, 3, 8, 8), frozenset({4}))),
            "input 'x'.*cannot be free",
        ),
    ],
)
def test_a_bad_graph_is_an_error_that_names_the_place(graph: Graph, message: str) -> None:
    with pytest.raises((GraphError, ShapeError), match=message):
        verify(graph)


def test_shapes_at_another_size() -> None:
    shapes = infer_shapes(GOOD, (5, 3, 9, 20))
    assert shapes == {"x": (5, 3, 9, 20), "c": (5, 4, 7, 18)}


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 3, 8), (0, 3, 8, 8), (1, 3, 2, 8)])
def test_shapes_that_the_network_does_not_take(shape: tuple[int, ...]) -> None:
    with pytest.raises(GossamerError):
        infer_shapes(GOOD, shape)


def test_a_layer_behind_a_flatten_fixes_the_size() -> None:
    head = (
        Node("f", Flatten(), ("c",)),
        Node("l", Linear(), ("f",), {"weight": "v"}),
    )
    weights = WEIGHTS | {"v": Dense(np.ones((2, 144)))}
    graph = verify(replace(GOOD, nodes=(CONV, *head), output="l", weights=weights))
    with pytest.raises(ShapeError, match="'l'"):
        infer_shapes(graph, (1, 3, 9, 8))


def test_every_kind_of_rank_is_checked_by_its_operator() -> None:
    nodes = (Node("f", Flatten(), ("x",)), Node("g", GlobalAvgPool(), ("f",)))
    with pytest.raises(ShapeError, match="'g'"):
        verify(replace(GOOD, nodes=nodes, output="g", weights={}))


@pytest.mark.parametrize("check", [verify, infer_shapes])
def test_what_is_not_a_graph_is_named(check: object) -> None:
    with pytest.raises(GraphError, match=r"not a graph \(got str\)"):
        check("net.goss")
