"""Which values cannot be negative, whatever the input: a zero beside them is never the largest."""

from __future__ import annotations

import numpy as np

from gossamer.graph import ops
from gossamer.graph.graph import Graph, Node

_AT_LEAST_ZERO = {"relu", "relu6", "sigmoid", "hard_sigmoid"}
_KEEP_SIGNS = (
    ops.AvgPool2d,
    ops.GlobalAvgPool,
    ops.Concat,
    ops.ChannelPermute,
    ops.ChannelSelect,
    ops.Threshold,
    ops.KWinners,
    ops.Quantise,
    ops.Flatten,
)


def is_nonnegative(graph: Graph, value: str) -> bool:
    """Whether no entry of a value is below zero (it may be NaN)."""
    makers = {node.name: node for node in graph.nodes}
    waiting, seen = [value], set[str]()
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if node is None:
            return False
        activation = getattr(node.op, "activation", getattr(node.op, "function", "identity"))
        if activation in _AT_LEAST_ZERO or isinstance(node.op, ops.Softmax):
            continue
        if isinstance(node.op, ops.Threshold) and not (_thresholds(graph, node) < 0).any():
            continue
        if not isinstance(node.op, _KEEP_SIGNS) and not never_empty(node.op):
            return False
        fresh = set(node.inputs) - seen
        seen |= fresh
        waiting += fresh
    return True


def never_empty(op: ops.Op) -> bool:
    """Whether each window of a max pooling has an entry of the picture: one without answers −∞.

    Padding is at most half of a window, so only windows with gaps can miss the picture.
    """
    return isinstance(op, ops.MaxPool2d) and op.dilation == (1, 1)


def _thresholds(graph: Graph, node: Node) -> np.ndarray:
    return graph.weights[node.weights["threshold"]].to_dense()
