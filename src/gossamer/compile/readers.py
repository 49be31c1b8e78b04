"""What a node asks of the places of its planes, whatever they are: counted once for all trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, prod

from gossamer.compile.geometry import Halo, window_halo
from gossamer.compile.signs import is_nonnegative, never_empty
from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import (
    Activation,
    Add,
    AvgPool2d,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    MaxPool2d,
    Multiply,
    ScaleShift,
    Shape,
    Softmax,
    Threshold,
)

Size = tuple[int, int]
FLAT = (Activation, Add, ChannelPermute, ChannelSelect, Concat, Multiply, ScaleShift, Threshold)
"""Operators that treat a vector as they treat a picture of one pixel, beside convolutions."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A node that reads planes.

    Args:
        node: it.
        inputs: what it reads in planes, and the size of the pictures; the first says where.
        stride: of its windows.
        halo: what it needs around the tiles of its inputs.
        size: of its own pictures; None if its result lies flat.
        cost: of computing one of its pixels, in multiply-accumulates of a vector.
        picks: whether it reads single pixels, the first of each stride.
        renames: whether its result is its input with other names for the channels.
    """

    node: Node
    inputs: tuple[tuple[str, Size], ...]
    stride: Size
    halo: Halo
    size: Size | None
    cost: float
    picks: bool
    renames: bool


def plane_readers(graph: Graph, shapes: Mapping[str, Shape]) -> list[Reader]:
    """Return the nodes of a graph that read planes, in order."""
    flat = flat_values(graph, shapes)
    return [
        _reader(graph, node, shapes)
        for node in graph.nodes
        if _reads_planes(node, shapes)
        and (node.name not in flat or isinstance(node.op, GlobalAvgPool))
    ]


def flat_values(graph: Graph, shapes: Mapping[str, Shape]) -> set[str]:
    """Return the values with one pixel a channel that lie flat, as vectors do.

    They begin at the input and behind means, and end where an operator with windows of several
    pixels reads them, or one that works on codes: a lane a channel in planes of one pixel would
    leave the other lanes empty.
    """
    flat = {graph.input.name, *(name for name, shape in shapes.items() if len(shape) == 2)}
    for node in graph.nodes:
        if isinstance(node.op, GlobalAvgPool) or (
            all(name in flat and prod(shapes[name][2:]) == 1 for name in node.inputs)
            and _works_flat(graph, node, shapes[node.name])
        ):
            flat.add(node.name)
    return flat


def _works_flat(graph: Graph, node: Node, output: Shape) -> bool:
    """Whether a node reads each number of a vector by itself, or all of them for each result."""
    if not isinstance(node.op, Conv2d):
        return isinstance(node.op, FLAT)
    layout = graph.weights[node.weights["weight"]]
    return (
        node.op.groups == 1
        and prod(output[2:]) == 1
        and _is_pointwise(graph, node)
        and not isinstance(layout, Quantised)
    )


def window_stride(node: Node, output: Shape) -> Size:
    """Return the stride that matters: along an axis with one window only, there is none."""
    stride = getattr(node.op, "stride", (1, 1))
    return (stride[0] if output[2] > 1 else 1, stride[1] if output[3] > 1 else 1)


def outside_value(graph: Graph, node: Node) -> float | None:
    """Return what a node must find outside the picture that it reads; None if it does not care."""
    op = node.op
    if isinstance(op, Conv2d | AvgPool2d):
        return 0.0
    if not isinstance(op, MaxPool2d):
        return None
    return 0.0 if never_empty(op) and is_nonnegative(graph, node.inputs[0]) else -inf


def _reader(graph: Graph, node: Node, shapes: Mapping[str, Shape]) -> Reader:
    op, out = node.op, shapes[node.name]
    inputs = tuple((name, _size(shapes[name])) for name in _plane_inputs(node, shapes))
    if isinstance(op, GlobalAvgPool):
        return Reader(node, inputs, (1, 1), Halo(), None, 0.0, picks=False, renames=False)
    stride = window_stride(node, out)
    macs = op.macs(out, graph.weight_shapes(node)) / prod(out[2:])
    density = graph.weights[node.weights["weight"]].density if "weight" in node.weights else 1.0
    renames = isinstance(op, ChannelPermute | ChannelSelect) and min(op.order) >= 0
    halo = _halo(node, graph, stride)
    cost, picks = macs * density + out[1], _is_pointwise(graph, node)
    return Reader(node, inputs, stride, halo, _size(out), cost, picks, renames)


def _is_pointwise(graph: Graph, node: Node) -> bool:
    """Whether a node is a convolution of 1×1 without padding."""
    if not isinstance(node.op, Conv2d) or any(node.op.padding):
        return False
    return graph.weights[node.weights["weight"]].shape[2:] == (1, 1)


def _reads_planes(node: Node, shapes: Mapping[str, Shape]) -> bool:
    return len(shapes[node.inputs[0]]) == 4 and not isinstance(
        node.op, Flatten | KWinners | Softmax
    )


def _plane_inputs(node: Node, shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """Return the inputs that a node reads in planes: all but the factors of a gate."""
    if isinstance(node.op, Multiply) and shapes[node.inputs[1]] != shapes[node.inputs[0]]:
        return node.inputs[:1]
    return node.inputs


def _size(shape: Shape) -> Size:
    return shape[2], shape[3]


def _halo(node: Node, graph: Graph, stride: Size) -> Halo:
    """Return what a node needs around the tiles of its input."""
    op = node.op
    if isinstance(op, Conv2d):
        kernel = graph.weights[node.weights["weight"]].shape[2:]
        return window_halo((kernel[0], kernel[1]), stride, op.padding, op.dilation)
    if isinstance(op, MaxPool2d):
        return window_halo(op.kernel, stride, op.padding, op.dilation)
    if isinstance(op, AvgPool2d):
        return window_halo(op.kernel, stride, op.padding, (1, 1))
    return Halo()
