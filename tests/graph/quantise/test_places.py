from __future__ import annotations

import numpy as np

from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Activation, ChannelPermute, Concat, Conv2d, ScaleShift, Softmax
from gossamer.graph.quantise.places import rounded_values, shared_levels


def test_all_that_layers_read_is_rounded_but_not_what_activations_do(branching: Graph) -> None:
    values = rounded_values(branching)
    assert values == [
        *("x", "stem", "a", "sum", "b", "c", "pool", "join", "mean", "gate"),
        *("act", "half", "last", "flat"),
    ]


def test_what_moves_levels_keeps_them_and_parts_take_those_of_the_whole(branching: Graph) -> None:
    shared = shared_levels(branching)
    others = {name: source for name, source in shared.items() if name != source}
    assert others == {"pool": "sum", "c": "join", "flat": "last"}


def test_norms_before_activations_run_on_real_numbers() -> None:
    two = {"scale": "s", "shift": "s"}
    nodes = (
        Node("join", Concat(), ("x", "x")),
        Node("norm", ScaleShift(), ("join",), two),
        Node("relu", Activation("relu"), ("norm",)),
        Node("conv", Conv2d(), ("relu",), {"weight": "w"}),
        Node("turn", ChannelPermute((1, 0)), ("conv",)),
        Node("more", Concat(), ("turn", "relu")),
        Node("likely", Softmax(), ("more",)),
    )
    weights = {"s": Dense(np.ones(2)), "w": Dense(np.ones((2, 2, 1, 1)))}
    graph = Graph(Input("x", (1, 1, 4, 4)), nodes, "likely", weights)
    assert rounded_values(graph) == ["x", "join", "relu", "conv", "turn", "more"]
    assert shared_levels(graph) == {
        **{name: name for name in ("join", "relu", "conv", "more")},
        "x": "join",
        "turn": "conv",
    }


def test_the_output_is_not_a_part() -> None:
    nodes = (Node("join", Concat(), ("x", "x")), Node("two", Concat(), ("join", "x")))
    graph = Graph(Input("x", (1, 1, 4, 4)), nodes, "join", {})
    assert shared_levels(graph) == {"x": "x", "join": "join"}
