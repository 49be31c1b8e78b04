"""The layers whose weights may change, as matrices, and what their filters see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from gossamer.errors import GraphError
from gossamer.graph import Graph, Node
from gossamer.graph.interpret import windows
from gossamer.graph.ops import Conv2d, Linear, Quantise


def coded_layers(graph: Graph) -> list[Node]:
    """Return the convolutions and linear layers that own their weight, in order.

    A weight that several layers share stays as it is: there is no one input that it sees.

    Raises:
        GraphError: if there is none, or the graph runs in integers already.
    """
    if any(isinstance(node.op, Quantise) for node in graph.nodes):
        raise GraphError(
            "the graph is quantised already",
            where=f"graph {graph.name!r}",
            hint="code the float network",
        )
    uses = weight_uses(graph)
    found = [
        node
        for node in graph.nodes
        if isinstance(node.op, Conv2d | Linear) and uses[node.weights["weight"]] == 1
    ]
    if not found:
        raise GraphError("no layer with a weight of its own", where=f"graph {graph.name!r}")
    return found


def weight_uses(graph: Graph) -> Counter[str]:
    """Return how often each weight is used."""
    return Counter(name for node in graph.nodes for name in node.weights.values())


def groups_of(node: Node) -> int:
    """Return in how many groups of filters with different inputs a layer falls."""
    return node.op.groups if isinstance(node.op, Conv2d) else 1


def matrix_of(node: Node, weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer's filters (G, K/G, F) and biases (G, K/G), float64, a scale multiplied in."""
    weight = weights["weight"].astype(np.float64)
    filters = weight.reshape(groups_of(node), -1, prod(weight.shape[1:]))
    if "scale" in weights:
        filters = filters * weights["scale"].reshape(*filters.shape[:2], 1)
    bias = weights.get("bias", np.zeros(len(weight)))
    return filters, bias.astype(np.float64).reshape(filters.shape[:2])


def seen_by_filters(node: Node, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return what the filters of each group see of (N, C, H, W) or (N, F): (G, F, N · places).

    Args:
        node: the layer.
        x: its input.
        shape: of its weight.
    """
    if not isinstance(node.op, Conv2d):
        return x.T[None]
    op, (_, channels, *kernel) = node.op, shape
    _, _, *size = op.output_shape([x.shape], {"weight": shape})
    patches = windows(x, op, (kernel[0], kernel[1]), (size[0], size[1]), 0.0, op.dilation)
    split = patches.reshape(len(x), op.groups, channels * prod(kernel), prod(size))
    return split.transpose(1, 2, 0, 3).reshape(op.groups, channels * prod(kernel), -1)


def in_chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices that cover `count` entries, `size` at a time.

    Examples:
        >>> list(in_chunks(5, 4))
        [slice(0, 4, None), slice(4, 5, None)]
    """
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
