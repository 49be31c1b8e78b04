"""Join subsamplings, and let a pointwise convolution skip the pixels that one would drop."""

from __future__ import annotations

from dataclasses import replace

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Conv2d, MaxPool2d
from gossamer.graph.rewrite.edit import Draft


def fuse_subsample(graph: Graph) -> Graph:
    """Return the graph with x[:, :, ::a, ::b] taken into what reads it, as its stride.

    A subsampling is a max pool of a 1×1 window, which is how export writes it, one for each axis.
    What takes it in is another subsampling or a 1×1 convolution. Outputs stay equal bit for bit.
    """
    draft = Draft(graph)
    for node in reversed(list(draft.of_kind(MaxPool2d))):
        reader = draft.only_reader(node.name)
        if reader is None or not _is_subsample(node) or not _takes_stride(graph, reader):
            continue
        assert isinstance(node.op, MaxPool2d)
        assert isinstance(reader.op, Conv2d | MaxPool2d)
        (a, b), (c, d) = node.op.stride, reader.op.stride
        draft.put(replace(reader, op=replace(reader.op, stride=(a * c, b * d))))
        draft.drop(node)
    return draft.graph()


def _is_subsample(node: Node) -> bool:
    return isinstance(node.op, MaxPool2d) and node.op == MaxPool2d((1, 1), node.op.stride)


def _takes_stride(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, Conv2d):
        kernel = graph.weight_shapes(node)["weight"][2:]
        return kernel == (1, 1) and not any(node.op.padding)
    return _is_subsample(node)
