"""Layers with nothing in between are one layer, wherever that is exact, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.compile.factors import Outline, find_chains, joined, outline
from gossamer.compile.product import multiply, with_products
from gossamer.graph import Codebook, Dense, Graph, Node, Quantised, interpret
from gossamer.graph.ops import Add, Conv2d, Linear, Quantise
from gossamer.graph.verify import verify
from tests.compile.factor_graphs import Layer, chain_graph, pointwise, tucker, window


def known(graph: Graph, names: str) -> Outline | None:
    return joined([outline(graph, graph.node(name)) for name in names])


def multiplied(graph: Graph, names: str) -> Graph:
    product = known(graph, names)
    assert product is not None
    layers = [graph.node(name) for name in names]
    return with_products(graph, {tuple(names): multiply(graph, layers, product)})


def assert_one_layer_is_the_same(graph: Graph, names: str, seed: int = 0) -> None:
    assert tuple(names) in find_chains(graph)
    product = verify(multiplied(graph, names))
    assert len(product.nodes) == len(graph.nodes) - len(names) + 1
    x = np.random.default_rng(seed).standard_normal(graph.input.example).astype(np.float32)
    expected, got = interpret(graph, x), interpret(product, x)
    assert got.shape == expected.shape
    scale = max(float(np.abs(expected).max()), 1e-6)
    assert np.abs(got - expected).max() <= 1e-5 * scale


@st.composite
def pairs(draw: st.DrawFn) -> list[Layer]:
    """Along each axis one layer has one tap and no padding; a bias first means none behind."""
    groups, ranks = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    widths = [(groups * ranks, draw(st.integers(1, 3))), (groups * draw(st.integers(1, 3)), ranks)]
    firsts = [draw(st.booleans()) for _ in range(2)]
    has_bias = draw(st.booleans())
    layers: list[Layer] = []
    for index, (filters, channels) in enumerate(widths):
        taps = [draw(st.integers(1, 3)) if first == (index == 0) else 1 for first in firsts]
        may_pad = index == 0 or not has_bias
        sides = [
            draw(st.integers(0, 2)) if first == (index == 0) and may_pad else 0
            for first in (*firsts, *firsts)
        ]
        strides, dilations = ((draw(st.integers(1, 3)), draw(st.integers(1, 3))) for _ in range(2))
        op = Conv2d(strides, tuple(sides), dilations, groups, "relu" if index else "identity")
        roles: dict = {"weight": (filters, channels, *taps)}
        if (has_bias and index == 0) or (draw(st.booleans()) and index):
            roles["bias"] = (filters,)
        if draw(st.booleans()):
            roles["scale"] = (filters,)
        layers.append((op, roles))
    return layers


@given(pairs(), st.integers(0, 3), st.sampled_from([0.3, 1.0]))
@settings(max_examples=150, deadline=None)
def test_two_convolutions_are_one(layers: list[Layer], more: int, density: float) -> None:
    channels = layers[0][1]["weight"][1] * layers[0][0].groups
    graph = chain_graph((2, channels, 19 + more, 20), layers, density, seed=more)
    assert_one_layer_is_the_same(graph, "ab", more)


@pytest.mark.parametrize("names", ["abc"])
def test_a_chain_of_three_is_one(names: str) -> None:
    assert_one_layer_is_the_same(tucker(), names)


def test_a_canonical_polyadic_chain_is_one_where_its_groups_are_equal() -> None:
    layers = [
        pointwise(6, 4),
        window(6, 1, (3, 1), groups=6, padding=(1, 0, 1, 0), stride=(2, 1)),
        window(6, 1, (1, 3), groups=6, padding=(0, 1, 0, 1), stride=(1, 2)),
        pointwise(5, 6, bias=True),
    ]
    graph = chain_graph((1, 4, 9, 8), layers)
    assert find_chains(graph) == [("a", "b", "c", "d")]
    product = multiplied(graph, "bc")
    assert product.node("c").op == Conv2d((2, 2), (1, 1, 1, 1), groups=6)
    x = np.random.default_rng(0).standard_normal((1, 4, 9, 8)).astype(np.float32)
    assert np.allclose(interpret(product, x), interpret(graph, x), atol=1e-5)
    assert known(graph, "ab") is None
    assert known(graph, "cd") is None


def test_linear_layers_are_one() -> None:
    weights: list[Layer] = [
        (Linear(), {"weight": (3, 8), "bias": (3,), "scale": (3,)}),
        (Linear(), {"weight": (4, 3), "bias": (4,)}),
        (Linear("relu"), {"weight": (6, 4), "scale": (6,)}),
    ]
    assert_one_layer_is_the_same(chain_graph((3, 8), weights), "abc")


def test_shared_values_are_multiplied_like_others() -> None:
    graph = tucker()
    shared = Codebook.from_dense(np.sign(graph.weights["b.weight"].to_dense()))
    graph = replace(graph, weights={**graph.weights, "b.weight": shared})
    assert_one_layer_is_the_same(graph, "abc")


SAME = {"same": True}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (window(4, 3, (3, 3), **SAME), window(5, 4, (3, 3), **SAME)),
        (window(4, 3, (3, 1), **SAME), window(5, 4, (2, 1))),
        (pointwise(4, 3, bias=True), window(5, 4, (3, 3), **SAME)),
        (window(4, 3, (3, 1), bias=True), window(5, 4, (1, 3), **SAME)),
        (pointwise(4, 3, padding=(1, 1, 1, 1)), window(5, 4, (3, 3))),
        (window(4, 3, (3, 3)), pointwise(5, 4, padding=(0, 0, 0, 1))),
        (pointwise(4, 3), window(4, 2, (3, 3), groups=2)),
        (pointwise(4, 3, stride=(2, 2)), window(4, 4, (3, 3), padding=(2049, 0, 0, 0))),
    ],
    ids=["windows", "columns", "bias", "bias-aside", "padding", "padding-behind", "groups", "far"],
)
def test_pairs_that_are_not_one_layer(first: Layer, second: Layer) -> None:
    assert known(chain_graph((1, 3, 9, 9), [first, second]), "ab") is None


def test_bias_is_no_hindrance_where_nothing_is_padded() -> None:
    layers = [pointwise(4, 3, bias=True), window(5, 4, (3, 3), bias=True)]
    assert_one_layer_is_the_same(chain_graph((1, 3, 9, 9), layers), "ab")


def test_a_layer_that_others_read_ends_a_chain() -> None:
    graph = chain_graph((1, 4, 5, 5), [pointwise(4, 4), pointwise(4, 4), pointwise(4, 4)])
    assert find_chains(graph) == [("a", "b", "c")]
    assert find_chains(replace(graph, output="b")) == [("a", "b")]
    added = replace(graph, nodes=(*graph.nodes, Node("sum", Add(), ("c", "a"))), output="sum")
    assert find_chains(added) == [("b", "c")]


def test_what_stands_in_between_ends_a_chain() -> None:
    layers = [pointwise(4, 4, activation="relu"), pointwise(4, 4)]
    assert find_chains(chain_graph((1, 4, 5, 5), layers)) == []
    graph = chain_graph((1, 4, 5, 5), [pointwise(4, 4), pointwise(4, 4)])
    a, b = graph.nodes
    levels = Node("levels", Quantise(0.5, 0, 0, 255), ("a",))
    rounded = replace(graph, nodes=(a, levels, replace(b, inputs=("levels",))))
    assert find_chains(rounded) == []
    assert find_chains(graph) == [("a", "b")]


@pytest.mark.parametrize("name", "ab")
def test_integers_stay(name: str) -> None:
    graph = chain_graph((1, 4, 5, 5), [pointwise(4, 4), pointwise(4, 4)])
    integers = Quantised(np.ones((4, 4, 1, 1), np.int8), np.ones(4, np.float32))
    assert find_chains(replace(graph, weights={**graph.weights, f"{name}.weight": integers})) == []


@pytest.mark.parametrize("entry", [nan, np.inf, 1e38])
@pytest.mark.parametrize("weight", ["a.weight", "a.bias", "b.weight", "b.bias"])
def test_what_float32_might_not_hold_stays(weight: str, entry: float) -> None:
    layers = [pointwise(4, 4, bias=True), pointwise(4, 4, bias=True)]
    graph = chain_graph((1, 4, 5, 5), layers)
    assert known(graph, "ab") is not None
    array = graph.weights[weight].to_dense().copy()
    array.flat[2] = entry
    assert known(replace(graph, weights={**graph.weights, weight: Dense(array)}), "ab") is None


@given(st.floats(0.05, 1), st.floats(0.05, 1), st.integers(1, 64))
@settings(max_examples=20, deadline=None)
def test_nonzeros_of_products_are_foreseen(first: float, second: float, ranks: int) -> None:
    layers = [pointwise(ranks, 40), pointwise(40, ranks)]
    graph = chain_graph((1, 40, 1, 1), layers)
    rng = np.random.default_rng(ranks)
    weights = {
        name: Dense(layout.to_dense() * (rng.random(layout.shape) < density))
        for (name, layout), density in zip(graph.weights.items(), (first, second), strict=True)
    }
    graph = replace(graph, weights=weights)
    foreseen, product = known(graph, "ab"), multiplied(graph, "ab")
    assert foreseen is not None
    (layout,) = product.weights.values()
    assert abs(foreseen.nonzeros - layout.nonzeros) <= 0.2 * layout.size
