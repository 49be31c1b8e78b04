"""Chains of layers with nothing in between, and which parts of them are one layer multiplied out.

Low-rank factors are such chains: a window and then 1×1, 1×1 and then a window, a column and then a
row. So are linear bottlenecks where no sum reads them. Each layer is linear in what it reads, and
so is the layer of their product; it has more or fewer multiply-accumulates than they have.

Layers are multiplied if that is exact at the borders, too. Along each axis one of two windows has
one tap, and that one has no padding (the second reads zeros there, not what the first makes of
zeros); and where the first has a bias, the second reads no padding at all, where it is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import LARGEST_WINDOW, Conv2d, Linear, Padding, Shape

LONGEST = 4
"""Layers that are multiplied to one: as many as a canonical polyadic decomposition makes."""
LARGEST_BOUND = 1e37
"""Of a product's entries, so that float32 holds them."""

Chain = tuple[str, ...]
"""Names of layers, each of which reads the one before."""


@dataclass(frozen=True)
class Outline:
    """What is known of a layer, or of the product of some, without multiplying.

    Args:
        op: of the layer.
        shape: of its weight, (K, C/G, R, S) or (K, F).
        density: fraction of the weight's entries that are not zero; of a product it is estimated,
            as if each entry was zero or not by itself.
        has_bias: whether something is added.
        bound: no entry of the weight or the bias is larger than this.
        work: multiply-accumulates that multiplying takes.
    """

    op: Conv2d | Linear
    shape: Shape
    density: float
    has_bias: bool
    bound: float
    work: int = 0

    @property
    def nonzeros(self) -> float:
        """Entries of the weight that are not zero."""
        return self.density * prod(self.shape)


def find_chains(graph: Graph) -> list[Chain]:
    """Return the longest chains: two layers or more, each the only reader of the one before."""
    nodes = {node.name: node for node in graph.nodes}
    reads = Counter(value for node in graph.nodes for value in node.inputs)
    ahead = {}
    for node in graph.nodes:
        maker = nodes.get(node.inputs[0])
        if (
            maker is not None
            and isinstance(node.op, Conv2d | Linear)
            and type(maker.op) is type(node.op)
            and maker.op.activation == "identity"
            and reads[maker.name] == 1
            and maker.name != graph.output
            and not any(_is_quantised(graph, layer) for layer in (maker, node))
        ):
            ahead[maker.name] = node
    behind = {node.name for node in ahead.values()}
    chains = []
    for node in graph.nodes:
        if node.name in ahead and node.name not in behind:
            chain = [node.name]
            while chain[-1] in ahead:
                chain.append(ahead[chain[-1]].name)
            chains.append(tuple(chain))
    return chains


def outline(graph: Graph, node: Node) -> Outline:
    """Return what is known of a layer."""
    op, layout = node.op, graph.weights[node.weights["weight"]]
    assert isinstance(op, Conv2d | Linear)  # for the type checker: layers of chains
    arrays = {role: graph.weights[held].to_dense() for role, held in node.weights.items()}
    most = {role: float(np.abs(array).max(initial=0)) for role, array in arrays.items()}
    bound = most["weight"] * most.get("scale", 1.0) + most.get("bias", 0.0)  # NaN stays
    return Outline(op, layout.shape, layout.density, "bias" in arrays, bound)


def joined(layers: Sequence[Outline]) -> Outline | None:
    """Return what is known of the product of layers that follow each other, None if it is none."""
    made: Outline | None = layers[0]
    for layer in layers[1:]:
        made = made and _times(layer, made)
    return made if made and made.bound <= LARGEST_BOUND else None


def _is_quantised(graph: Graph, node: Node) -> bool:
    """Whether a layer has integers, which a product would not have."""
    return isinstance(graph.weights[node.weights["weight"]], Quantised)


def _times(second: Outline, first: Outline) -> Outline | None:
    """Return the outline of the product of two layers, None if it is not one layer."""
    op = _operator(second, first)
    if op is None:
        return None
    groups = op.groups if isinstance(op, Conv2d) else 1
    ranks = first.shape[0] // groups
    window = [a * b for a, b in zip(first.shape[2:], second.shape[2:], strict=True)]
    shape = (second.shape[0], first.shape[1], *window)
    return Outline(
        op,
        shape,
        1 - (1 - first.density * second.density) ** ranks,
        first.has_bias or second.has_bias,
        second.bound * (1 + first.bound * ranks * prod(second.shape[2:])),
        first.work + second.work + prod(shape) * ranks,
    )


def _operator(second: Outline, first: Outline) -> Conv2d | Linear | None:
    """Return the operator that two make one after the other, if it is one of them."""
    a, b = first.op, second.op
    if isinstance(a, Linear) or isinstance(b, Linear):
        return b
    if a.groups != b.groups or (first.has_bias and max(b.padding) > 0):
        return None
    axes = [_along(axis, second, first) for axis in (0, 1)]
    if axes[0] is None or axes[1] is None:
        return None
    stride, dilation, before, after = zip(*axes, strict=True)
    if max(*stride, *dilation, *before, *after) > LARGEST_WINDOW:
        return None
    padding: Padding = (*before, *after)
    return replace(b, stride=stride, dilation=dilation, padding=padding)


def _along(axis: int, second: Outline, first: Outline) -> tuple[int, int, int, int] | None:
    """Return stride, dilation and padding on both sides along an axis, if one window has a tap."""
    a, b = first.op, second.op
    assert isinstance(a, Conv2d)  # for the type checker
    assert isinstance(b, Conv2d)  # for the type checker
    stride = a.stride[axis] * b.stride[axis]
    sides_a, sides_b = a.padding[axis::2], b.padding[axis::2]
    if second.shape[2 + axis] == 1 and max(sides_b) == 0:
        return stride, a.dilation[axis], sides_a[0], sides_a[1]
    if first.shape[2 + axis] == 1 and max(sides_a) == 0:
        # Every stride-th pixel is what the second takes for all.
        step = a.stride[axis]
        return stride, step * b.dilation[axis], step * sides_b[0], step * sides_b[1]
    return None
