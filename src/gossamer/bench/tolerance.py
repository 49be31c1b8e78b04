"""How far the outputs of two engines may lie apart when both run the same network."""

from __future__ import annotations

import numpy as np

from gossamer.graph import Graph, interpret
from gossamer.graph.check import distance
from gossamer.graph.ops import Quantise

PLAIN = 1e-4
"""Relative difference of outputs that float32 sums in another order explain."""
LARGEST = 0.5
"""Above this, outputs do not even say that it is the same network."""
# Two roundings of one network lie at most twice as far apart as each lies from the network without
# rounding; twice again, because one picture does not show the largest distance. On ResNets of 20
# and 56 layers, random weights, quantised in two ways, OpenVINO came to 1.9 times that distance.
_ROUNDINGS = 4.0


def allowed_difference(graph: Graph, x: np.ndarray) -> float:
    """Return the allowed |difference| of outputs, relative to the largest |output|.

    Without `quantise` it is 1e-4. With it, a value between two levels may become either: sums in
    another order or roundings that an engine merges move outputs by whole levels. How much rounding
    matters to this network is measured: on the first picture of `x`, the interpreter's output is
    compared with the one that it gives where values are limited but not rounded; four times that
    distance is allowed, 0.5 at most.

    Args:
        graph: the network.
        x: (N, C, H, W) that outputs are compared on.

    Examples:
        >>> from gossamer.graph import Input, Node
        >>> graph = Graph(Input("x", (1, 2)), (Node("y", Quantise(0.5), ("x",)),), "y", {})
        >>> allowed_difference(graph, np.float32([[1.1, 8.0]]))
        0.05
    """
    if not any(isinstance(node.op, Quantise) for node in graph.nodes):
        return PLAIN
    first = x[:1] if 0 in graph.input.free else x
    noise = distance(interpret(graph, first), interpret(graph, first, rounding=False))
    return round(min(max(PLAIN, _ROUNDINGS * noise), LARGEST), 6)
