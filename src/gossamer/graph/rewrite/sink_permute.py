"""Move channel permutations towards the output, and into the layer that reads them if it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    Activation,
    AvgPool2d,
    ChannelPermute,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Quantise,
    ScaleShift,
)
from gossamer.graph.rewrite.edit import drop_node, only_reader, rename_value, with_reordered
from gossamer.graph.verify import infer_shapes


def sink_permute(graph: Graph) -> Graph:
    """Return the graph with each permutation as late as it can be, or gone.

    A permutation changes places with the one node that reads it if that node treats channels alike
    (so that norms and activations come to stand behind their convolution), joins a permutation that
    follows, and disappears into the columns of a convolution without groups or of a linear layer.
    Outputs stay the same, except that such a layer adds up in another order.
    """
    for name in [node.name for node in graph.nodes if isinstance(node.op, ChannelPermute)]:
        while (moved := _step(graph, name)) is not None:
            graph = moved
    return graph


def _step(graph: Graph, name: str) -> Graph | None:
    """Move one permutation behind its reader; None if it has to stay or is gone."""
    permute = next((node for node in graph.nodes if node.name == name), None)
    reader = only_reader(graph, name) if permute else None
    if permute is None or reader is None or not isinstance(permute.op, ChannelPermute):
        return None
    order = np.array(permute.op.order)
    match reader.op:
        case ChannelPermute(following):
            joined = replace(reader, op=_permutation(order[list(following)]))
            nodes = [joined if node is reader else node for node in graph.nodes]
            return drop_node(graph.with_nodes(nodes, graph.weights), name)
        case Linear() | Conv2d(groups=1):
            graph = with_reordered(graph, reader, ("weight",), np.argsort(order), axis=1)
            return drop_node(graph, name)
        case ScaleShift():
            graph = with_reordered(graph, reader, ("scale", "shift"), np.argsort(order))
            return _exchange(graph, permute, graph.node(reader.name), permute.op)
        case Activation() | MaxPool2d() | AvgPool2d() | GlobalAvgPool() | Quantise():
            return _exchange(graph, permute, reader, permute.op)
        case Flatten():
            features = np.arange(infer_shapes(graph)[reader.name][1])
            by_channel = features.reshape(len(order), -1)[order]
            return _exchange(graph, permute, reader, _permutation(by_channel.ravel()))
    return None


def _permutation(order: np.ndarray) -> ChannelPermute:
    return ChannelPermute(tuple(int(channel) for channel in order))


def _exchange(graph: Graph, permute: Node, reader: Node, op: ChannelPermute) -> Graph:
    """Return the graph with the reader before the permutation, which becomes `op`."""
    first = replace(reader, inputs=permute.inputs)
    second = replace(permute, op=op, inputs=(reader.name,))
    graph = rename_value(graph, reader.name, permute.name)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name == reader.name:
            nodes += [first, second]
        elif node.name != permute.name:
            nodes.append(node)
    return graph.with_nodes(nodes, graph.weights)
