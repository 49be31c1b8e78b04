"""Comparing two runs of a network that rounds values to levels.

What lies within float rounding of the middle between two levels may fall to either, and then all
that follows differs. So each stretch between roundings is compared by itself: the graph is given
the levels of the other run, and its own may differ from them only where they had a choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gossamer.graph.check import TOLERANCE, distance
from gossamer.graph.graph import Graph
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import Quantise

_LEVELS = 256


def agree_in_stretches(
    graph: Graph, x: np.ndarray, others: Mapping[str, np.ndarray], output: np.ndarray
) -> bool:
    """Whether a graph computes what another run did, each rounding given what that run made of it.

    Args:
        graph: with roundings.
        x: the input of both.
        others: name → value of the other run, of roundings at least; those of other shapes or
            unknown names are not given.
        output: of the other run.
    """
    roundings = [node for node in graph.nodes if isinstance(node.op, Quantise)]
    values: dict[str, np.ndarray] = {}
    interpret(graph, x, values=values)
    given = {
        node.name: others[node.name]
        for node in roundings
        if node.name in others and others[node.name].shape == values[node.name].shape
    }
    mine = interpret(graph, x, values=values, given=given)
    read = {**values, **given}
    return distance(mine, output) <= TOLERANCE and all(
        _had_a_choice(node.op, read[node.inputs[0]], values[node.name], given[node.name])
        for node in roundings
        if node.name in given and isinstance(node.op, Quantise)
    )


def _had_a_choice(op: Quantise, x: np.ndarray, mine: np.ndarray, other: np.ndarray) -> bool:
    """Whether two roundings of a value differ by one level, and only near the middle of two."""
    differs = mine != other
    near = np.abs(np.abs(np.modf(x[differs] / op.scale)[0]) - 0.5) <= 2 * _LEVELS * TOLERANCE
    return bool(near.all() and (np.abs(mine - other)[differs] <= 1.01 * op.scale).all())
