"""The tail of a network: its end, where values are flat, with the linear layers in it.

There the pictures no longer matter, and many images can be one: a linear layer over N images is a
1×1 convolution over a picture of N pixels, which reads each weight once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gossamer.graph.graph import Graph, Input, Node
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse
from gossamer.graph.ops import Conv2d, Flatten, KWinners, Linear, Op, Shape
from gossamer.graph.verify import infer_shapes


@dataclass(frozen=True)
class Tail:
    """The end of a graph.

    Args:
        source: the one value from before it that it reads, (N, F).
        nodes: all from its first on, each of which makes a value of two dimensions.
        features: F.
    """

    source: str
    nodes: tuple[Node, ...]
    features: int


def find_tail(graph: Graph) -> Tail | None:
    """Return the longest tail of a well-formed graph that has a linear layer; None without one.

    Examples:
        >>> import numpy as np
        >>> weights = {"w": Dense(np.ones((3, 8)))}
        >>> flat = Node("flat", Flatten(), ("x",))
        >>> fc = Node("fc", Linear(), ("flat",), {"weight": "w"})
        >>> tail = find_tail(Graph(Input("x", (1, 2, 2, 2)), (flat, fc), "fc", weights))
        >>> tail.source, tail.features, [node.name for node in tail.nodes]
        ('flat', 8, ['fc'])
    """
    shapes, best = infer_shapes(graph), None
    made, read, has_linear = set[str](), set[str](), False
    for index in reversed(range(len(graph.nodes))):
        node = graph.nodes[index]
        if len(shapes[node.name]) != 2:
            break
        made.add(node.name)
        read |= set(node.inputs)
        has_linear |= isinstance(node.op, Linear)
        sources = read - made
        if has_linear and graph.output in made and len(sources) == 1:
            (source,) = sources
            if len(shapes[source]) == 2:
                best = Tail(source, graph.nodes[index:], shapes[source][1])
    return best


def over_pictures(graph: Graph, tail: Tail, images: int) -> Graph:
    """Return a tail as a graph that reads a picture, (1, F, 1, images): a pixel is an image.

    Its output is (1, K, 1, images).
    """
    names, nodes = {}, []
    for node in tail.nodes:
        inputs = tuple(names.get(name, name) for name in node.inputs)
        op = _over_pixels(node.op)
        if op is None:
            names[node.name] = inputs[0]
        else:
            nodes.append(replace(node, op=op, inputs=inputs))
    shape = (1, tail.features, 1, images)
    pictures = replace(graph, input=Input(tail.source, shape), record=None)
    output = names.get(graph.output, graph.output)
    return pictures.with_nodes(nodes, _as_filters(graph.weights, tail), output)


def _over_pixels(op: Op) -> Op | None:
    """Return what does to each pixel what `op` does to a flat value; None if that is nothing."""
    if isinstance(op, Linear):
        return Conv2d(activation=op.activation)
    if isinstance(op, Flatten) or (isinstance(op, KWinners) and op.over == "map"):
        return None  # the winner of a map of one pixel is that pixel
    return replace(op, over="channels") if isinstance(op, KWinners) else op


def _as_filters(weights: Mapping[str, Layout], tail: Tail) -> dict[str, Layout]:
    """Return the weights, those of the tail's linear layers as (K, F, 1, 1)."""
    matrices = {n.weights["weight"] for n in tail.nodes if isinstance(n.op, Linear)}
    return {
        name: _reshaped(layout, (*layout.shape, 1, 1)) if name in matrices else layout
        for name, layout in weights.items()
    }


def _reshaped(layout: Layout, shape: Shape) -> Layout:
    """Return the same entries in the same form and another shape."""
    if isinstance(layout, Sparse | Codebook):
        return replace(layout, shape=shape)
    if isinstance(layout, Quantised):
        return replace(layout, integers=layout.integers.reshape(shape))
    return Dense(layout.to_dense().reshape(shape))
