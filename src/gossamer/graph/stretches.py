"""Comparing two runs of a network that rounds values to levels, or sets what is low to zero.

What lies within float rounding of the middle between two levels, or of a threshold, may fall to
either side, and then all that follows differs. So each stretch between such jumps is compared by
itself: the graph is given what the other run made there, and its own may differ from that only
where it had a choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gossamer.graph.check import TOLERANCE, distance
from gossamer.graph.graph import Graph, Node
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import KWinners, Quantise, Threshold

JUMPS = (KWinners, Quantise, Threshold)
"""Operators whose result jumps where their input passes an edge."""

_LEVELS = 256


def agree_in_stretches(
    graph: Graph, x: np.ndarray, others: Mapping[str, np.ndarray], output: np.ndarray
) -> bool:
    """Whether a graph computes what another run did, each jump given what that run made of it.

    Args:
        graph: with jumps.
        x: the input of both.
        others: name → value of the other run, of what jumps at least; those of other shapes or
            unknown names are not given.
        output: of the other run.
    """
    jumps = [node for node in graph.nodes if isinstance(node.op, JUMPS)]
    values: dict[str, np.ndarray] = {}
    interpret(graph, x, values=values)
    given = {
        node.name: others[node.name]
        for node in jumps
        if node.name in others and others[node.name].shape == values[node.name].shape
    }
    mine = interpret(graph, x, values=values, given=given)
    read = {**values, **given}
    return distance(mine, output) <= TOLERANCE and all(
        _may_differ(graph, node, read[node.inputs[0]], values[node.name], given[node.name])
        for node in jumps
        if node.name in given
    )


def _may_differ(
    graph: Graph, node: Node, x: np.ndarray, mine: np.ndarray, other: np.ndarray
) -> bool:
    """Whether two results of a jump differ only where its input lies on the edge."""
    if isinstance(node.op, Quantise):
        return _had_a_choice(node.op, x, mine, other)
    if isinstance(node.op, Threshold):
        limits = graph.weights[node.weights["threshold"]].to_dense()
        edge = np.broadcast_to(limits.reshape(-1, *(1,) * (x.ndim - 2)), x.shape)
    else:
        assert isinstance(node.op, KWinners)
        axes = {"channels": (1,), "map": tuple(range(2, x.ndim))}.get(node.op.over)
        winners = np.where(mine != 0, x, np.inf)
        lowest = winners.min(axis=axes or tuple(range(1, x.ndim)), keepdims=True)
        edge = np.broadcast_to(lowest, x.shape)
    slack = 2 * TOLERANCE * float(np.abs(x).max(initial=0.0))
    on_edge = np.abs(x - edge) <= slack
    is_close = np.abs(mine - other) <= slack
    is_either = is_close | (on_edge & ((np.abs(other) <= slack) | (np.abs(other - x) <= slack)))
    return bool(is_either.all())


def _had_a_choice(op: Quantise, x: np.ndarray, mine: np.ndarray, other: np.ndarray) -> bool:
    """Whether two roundings of a value differ by one level, and only near the middle of two."""
    differs = mine != other
    near = np.abs(np.abs(np.modf(x[differs] / op.scale)[0]) - 0.5) <= 2 * _LEVELS * TOLERANCE
    return bool(near.all() and (np.abs(mine - other)[differs] <= 1.01 * op.scale).all())
