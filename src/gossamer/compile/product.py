"""The one layer that layers of a chain multiply to, and a graph with it in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from gossamer.compile.factors import Chain, Outline
from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Dense, Layout
from gossamer.graph.ops import Conv2d, Pair
from gossamer.graph.rewrite.choose_layouts import choose_layout
from gossamer.graph.rewrite.edit import free_name

Product = tuple[Node, Mapping[str, Layout]]
"""A layer, and its weights."""


def multiply(graph: Graph, layers: Sequence[Node], known: Outline) -> Product:
    """Return the layer in place of some layers of a chain.

    It has the name of the last one, so that readers find it. Sums are made in float64, scales are
    multiplied in.

    Args:
        graph: that they are in.
        layers: that follow each other.
        known: outline of their product.
    """
    weight, bias = reduce(_product, [_arrays(graph, layer) for layer in layers])
    arrays = {"weight": choose_layout(weight.reshape(known.shape).astype(np.float32))}
    if known.has_bias:
        arrays["bias"] = Dense(bias.astype(np.float32))
    last = layers[-1]
    names = {role: free_name(graph.weights, f"{last.name}.product.{role}") for role in arrays}
    node = Node(last.name, known.op, layers[0].inputs, names)
    return node, {names[role]: layout for role, layout in arrays.items()}


def with_products(graph: Graph, products: Mapping[Chain, Product]) -> Graph:
    """Return the graph with products in place of parts of its chains."""
    last = {names[-1]: node for names, (node, _) in products.items()}
    gone = {name for names in products for name in names[:-1]}
    weights = dict(graph.weights)
    for _, held in products.values():
        weights |= held
    nodes = (last.get(node.name, node) for node in graph.nodes if node.name not in gone)
    return graph.with_nodes(nodes, weights)


def _arrays(graph: Graph, node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer's weight by groups, (G, K/G, C/G, R, S) with the scale in it, and its bias."""
    arrays = {
        role: graph.weights[name].to_dense().astype(np.float64)
        for role, name in node.weights.items()
    }
    weight = arrays["weight"]
    groups = node.op.groups if isinstance(node.op, Conv2d) else 1
    window: Pair = weight.shape[2:] if weight.ndim == 4 else (1, 1)
    weight = weight.reshape(len(weight), weight.shape[1], *window)
    if "scale" in arrays:
        weight = weight * arrays["scale"].reshape(-1, 1, 1, 1)
    bias = arrays.get("bias", np.zeros(len(weight)))
    return weight.reshape(groups, -1, *weight.shape[1:]), bias


def _product(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of two layers in one."""
    (a, bias_a), (b, bias_b) = first, second
    groups, ranks, channels, *window_a = a.shape
    kernels, window_b = b.shape[1], b.shape[3:]
    rows = b.transpose(0, 1, 3, 4, 2).reshape(groups, -1, ranks)
    both = rows @ a.reshape(groups, ranks, -1)
    # Along each axis one window has one tap, so that tap i of the other is tap i of both.
    both = both.reshape(groups, kernels, *window_b, channels, *window_a)
    weight = both.transpose(0, 1, 4, 2, 5, 3, 6).reshape(
        groups, kernels, channels, window_a[0] * window_b[0], window_a[1] * window_b[1]
    )
    bias = bias_b + (b.sum((3, 4)) @ bias_a.reshape(groups, ranks, 1)).reshape(-1)
    return weight, bias
