"""The layers of a graph, as people count them: an operator with what belongs to it.

A graph has a node for each norm, activation and sum. Drawn or listed one by one they hide what
matters, which layer reads which. Here they join the operator that they serve:

1. a norm, activation, quantisation or flattening joins the layer before it, if nobody else reads
   that layer;
2. a run of norms, activations, sums and concatenations joins the layer behind it, if there is
   exactly one. So the concatenations of a dense block become links from each layer to each, whereas
   a sum that two layers read, as in a residual network, stays a layer of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    Activation,
    Add,
    Concat,
    Flatten,
    KWinners,
    Quantise,
    ScaleShift,
    Threshold,
)

_FOLLOWERS = (ScaleShift, Activation, Threshold, KWinners, Quantise, Flatten)
_GATHERERS = (Add, Concat)

Readers = Mapping[str, list[str]]


@dataclass(frozen=True)
class Layer:
    """Nodes that belong together.

    Args:
        number: 1 for the first layer; 0 is the input of the network.
        nodes: in the graph's order; the last one makes the layer's value.
        reads: numbers of the layers that it reads, each once, ascending.
    """

    number: int
    nodes: tuple[Node, ...]
    reads: tuple[int, ...]

    @property
    def head(self) -> Node:
        """The node that the layer is named after: what is not a norm, activation, sum, …"""
        for served in ((*_FOLLOWERS, *_GATHERERS), _FOLLOWERS):
            for node in self.nodes:
                if not isinstance(node.op, served):
                    return node
        return self.nodes[0]

    @property
    def value(self) -> str:
        """The name of the value that the layer makes."""
        return self.nodes[-1].name


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """Return the layers in an order in which each reads earlier ones only.

    Examples:
        >>> from gossamer.graph import Input
        >>> from gossamer.graph.ops import ChannelPermute
        >>> nodes = (
        ...     Node("turn", ChannelPermute((1, 0)), ("x",)),
        ...     Node("act", Activation("relu"), ("turn",)),
        ...     Node("sum", Add(), ("act", "x")),
        ... )
        >>> for layer in layers_of(Graph(Input("x", (1, 2, 4, 4)), nodes, "sum", {})):
        ...     print(layer.number, [node.name for node in layer.nodes], layer.reads)
        1 ['turn', 'act'] (0,)
        2 ['sum'] (0, 1)
    """
    readers = _readers(graph)
    groups = _join_forward(_join_backward(graph, readers), readers)
    numbers = {graph.input.name: 0}
    for number, nodes in enumerate(groups, start=1):
        numbers |= {node.name: number for node in nodes}
    return tuple(
        Layer(number, tuple(nodes), _reads(number, nodes, numbers))
        for number, nodes in enumerate(groups, start=1)
    )


def _readers(graph: Graph) -> Readers:
    """Return value → names of the nodes that read it; the world outside reads the output."""
    readers: dict[str, list[str]] = {graph.input.name: []}
    for node in graph.nodes:
        readers[node.name] = []
        for name in dict.fromkeys(node.inputs):
            readers[name].append(node.name)
    readers[graph.output].append("")
    return readers


def _join_backward(graph: Graph, readers: Readers) -> list[list[Node]]:
    group_of: dict[str, list[Node]] = {}
    groups: list[list[Node]] = []
    for node in graph.nodes:
        source = node.inputs[0]
        if isinstance(node.op, _FOLLOWERS) and source in group_of and len(readers[source]) == 1:
            group = group_of[source]
        else:
            group = []
            groups.append(group)
        group.append(node)
        group_of[node.name] = group
    return groups


def _join_forward(groups: list[list[Node]], readers: Readers) -> list[list[Node]]:
    group_of = {node.name: group for group in groups for node in group}
    kept = []
    for group in reversed(groups):
        outside = readers[group[-1].name]
        light = all(isinstance(node.op, _FOLLOWERS + _GATHERERS) for node in group)
        if light and len(outside) == 1 and outside[0]:
            target = group_of[outside[0]]
            target[:0] = group
            group_of |= {node.name: target for node in group}
        else:
            kept.append(group)
    return kept[::-1]


def _reads(number: int, nodes: list[Node], numbers: Mapping[str, int]) -> tuple[int, ...]:
    inside = {number}
    return tuple(sorted({numbers[name] for node in nodes for name in node.inputs} - inside))
