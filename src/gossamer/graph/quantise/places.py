"""Which values of a graph are rounded to levels, and which of them share theirs."""

from __future__ import annotations

from collections.abc import Mapping

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    Activation,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Flatten,
    KWinners,
    LayerNorm,
    MaxPool2d,
    ScaleShift,
    Softmax,
    Threshold,
)

# These run on real numbers, in the epilogue of what makes their input.
_REAL = (Activation, KWinners, LayerNorm, ScaleShift, Softmax, Threshold)
_KEEP_LEVELS = (MaxPool2d, ChannelPermute, ChannelSelect, Flatten)


def rounded_values(graph: Graph) -> list[str]:
    """Return the values to round, in the order in which they are made.

    All that some operator reads, except what only activations, norms or a softmax read; but what
    concatenations make is always rounded, for they copy.
    """
    readers = _readers(graph)
    joined = {node.name for node in graph.nodes if isinstance(node.op, Concat)}
    return [
        name
        for name, nodes in readers.items()
        if any(not isinstance(node.op, _REAL) for node in nodes) or (nodes and name in joined)
    ]


def shared_levels(graph: Graph) -> Mapping[str, str]:
    """Return rounded value → the rounded value whose levels it takes, itself or another.

    Operators that move levels without changing them keep those of their input; what only a
    concatenation reads takes the levels of what that makes.
    """
    rounded = rounded_values(graph)
    readers, makers = _readers(graph), {node.name: node for node in graph.nodes}
    known = set(rounded)

    def next_of(name: str) -> str:
        maker, nodes = makers.get(name), readers[name]
        if maker is not None and isinstance(maker.op, _KEEP_LEVELS):
            return maker.inputs[0]
        is_part = len(nodes) == 1 and isinstance(nodes[0].op, Concat) and nodes[0].name in known
        return nodes[0].name if is_part and name != graph.output else name

    shared = {}
    for name in rounded:
        source = name
        while (following := next_of(source)) != source:
            source = following
        shared[name] = source
    return shared


def _readers(graph: Graph) -> dict[str, list[Node]]:
    """Return value → the nodes that read it."""
    readers: dict[str, list[Node]] = {graph.input.name: []}
    for node in graph.nodes:
        readers[node.name] = []
        for name in dict.fromkeys(node.inputs):
            readers[name].append(node)
    return readers
