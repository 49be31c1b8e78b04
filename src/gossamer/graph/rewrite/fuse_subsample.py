"""Let a pointwise convolution skip the pixels that a subsampling before it would drop."""

from __future__ import annotations

from dataclasses import replace

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Conv2d, MaxPool2d
from gossamer.graph.rewrite.edit import drop_node, only_reader


def fuse_subsample(graph: Graph) -> Graph:
    """Return the graph with x[:, :, ::a, ::b] before a 1×1 convolution taken in as its stride.

    A subsampling is a max pool of a 1×1 window, which is how export writes it: the shortcut of the
    residual networks for CIFAR (He et al. 2015, option A) becomes one convolution. Outputs stay
    equal bit for bit.
    """
    for node in reversed(graph.nodes):
        reader = only_reader(graph, node.name)
        if reader is None or not _is_subsample(node) or not _is_pointwise(graph, reader):
            continue
        assert isinstance(node.op, MaxPool2d)
        assert isinstance(reader.op, Conv2d)
        (a, b), (c, d) = node.op.stride, reader.op.stride
        strided = replace(reader, op=replace(reader.op, stride=(a * c, b * d)))
        nodes = [strided if n is reader else n for n in graph.nodes]
        graph = drop_node(graph.with_nodes(nodes, graph.weights), node.name)
    return graph


def _is_subsample(node: Node) -> bool:
    return isinstance(node.op, MaxPool2d) and node.op == MaxPool2d((1, 1), node.op.stride)


def _is_pointwise(graph: Graph, node: Node) -> bool:
    return (
        isinstance(node.op, Conv2d)
        and not any(node.op.padding)
        and graph.weight_shapes(node)["weight"][2:] == (1, 1)
    )
