"""Graph and images → graph of levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gossamer.errors import GraphError
from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.graph.quantise.levels import choose_levels
from gossamer.graph.quantise.options import QuantiseOptions
from gossamer.graph.quantise.places import shared_levels
from gossamer.graph.quantise.ranges import watch
from gossamer.graph.quantise.weights import integer_weights
from gossamer.graph.rewrite.edit import free_name
from gossamer.graph.verify import verify


def quantise(graph: Graph, images: np.ndarray, options: QuantiseOptions | None = None) -> Graph:
    """Return a graph whose layers can run in integers, close to a float32 graph on such images.

    Values are rounded to 256 levels where layers read them, weights to integers with a scale for
    each output channel, biases to 32-bit integers. (Static post-training quantisation, Jacob et al.
    2018; weights symmetric and per channel, Krishnamoorthi 2018.) Zeros stay zeros, so a sparse
    network stays sparse. The output stays float32.

    Args:
        graph: rewritten (norms folded, activations fused); without levels yet.
        images: (N, C, H, W) float32 as the network takes them, a few dozen like those it will see.
        options: how.

    Raises:
        GraphError: if the graph has levels already, or a value is not finite.
        ShapeError: if the network does not take the images.

    Examples:
        >>> from gossamer.graph import Dense, Input
        >>> node = Node("y", Linear(), ("x",), {"weight": "w"})
        >>> graph = Graph(Input("x", (1, 2)), (node,), "y", {"w": Dense(np.array([[1.0, -0.5]]))})
        >>> small = quantise(graph, np.array([[0.0, 2.55]]), QuantiseOptions("minmax"))
        >>> [node.op.kind for node in small.nodes], small.weights["w"].integers.tolist()
        (['quantise', 'linear'], [[127, -64]])
    """
    options = options or QuantiseOptions()
    if any(isinstance(node.op, Quantise) for node in graph.nodes):
        raise GraphError("the graph is quantised already", where=f"graph {graph.name!r}")
    shared = shared_levels(verify(graph))
    seen = watch(graph, images, dict.fromkeys(shared.values()))
    chosen = {name: choose_levels(what, options) for name, what in seen.items()}
    levels = {name: chosen[source] for name, source in shared.items()}
    return verify(_with_integers(_with_levels(graph, levels), options.largest_weight))


def _with_levels(graph: Graph, levels: Mapping[str, Quantise]) -> Graph:
    """Return the graph with a rounding behind each of these values, for all that read them."""
    taken = {graph.input.name, *(node.name for node in graph.nodes)}
    names: dict[str, str] = {}
    nodes: list[Node] = []

    def add_rounding(value: str) -> None:
        if value in levels:
            names[value] = free_name(taken, f"{value}.quantise")
            taken.add(names[value])
            nodes.append(Node(names[value], levels[value], (value,)))

    add_rounding(graph.input.name)
    for node in graph.nodes:
        nodes.append(replace(node, inputs=tuple(names.get(name, name) for name in node.inputs)))
        add_rounding(node.name)
    return replace(graph, nodes=tuple(nodes))


def _with_integers(graph: Graph, largest: int) -> Graph:
    """Return the graph with the weights of layers as integers."""
    makers = {node.name: node for node in graph.nodes}
    weights: dict[str, Layout] = {}
    nodes = []
    for node in graph.nodes:
        roles = {role: graph.weights[name] for role, name in node.weights.items()}
        if isinstance(node.op, Conv2d | Linear):
            rounding = makers[node.inputs[0]].op
            assert isinstance(rounding, Quantise)
            roles = integer_weights(node, graph.weights, rounding.scale, largest)
        names = {}
        for role, layout in roles.items():
            wish = node.weights[role]
            names[role] = wish if weights.get(wish) == layout else free_name(weights, wish)
            weights[names[role]] = layout
        nodes.append(replace(node, weights=names))
    return graph.with_nodes(nodes, weights)
