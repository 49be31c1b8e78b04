"""Take the scale and shift of a norm into the convolution or linear layer before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse
from gossamer.graph.ops import Conv2d, Linear, ScaleShift
from gossamer.graph.rewrite.choose_layouts import has_few_values
from gossamer.graph.rewrite.edit import free_name, maker, only_reader, rename_value


def fold_norm(graph: Graph) -> Graph:
    """Return the graph with every `scale_shift` folded that follows a convolution or linear layer.

    Computed in float64 and rounded once: bias′ = scale·bias + shift, weight′ = scale·weight. Where
    the weight's values are shared (a codebook), the scale is kept apart as the role `scale`, and
    they stay shared; a quantised weight has scales of its own. A layer with an activation or with
    other readers is left alone.
    """
    for name in [node.name for node in graph.nodes if isinstance(node.op, ScaleShift)]:
        norm = graph.node(name)
        layer = maker(graph, norm.inputs[0])
        if layer is not None and _can_fold(graph, layer):
            graph = _fold(graph, layer, norm)
    return graph


def _can_fold(graph: Graph, layer: Node) -> bool:
    return (
        isinstance(layer.op, Conv2d | Linear)
        and layer.op.activation == "identity"
        and only_reader(graph, layer.name) is not None
    )


def _fold(graph: Graph, layer: Node, norm: Node) -> Graph:
    weights, roles = dict(graph.weights), dict(layer.weights)
    taken = {name for node in graph.nodes if node is not layer for name in node.weights.values()}

    def keep(role: str, layout: Layout) -> None:
        roles[role] = free_name(taken, f"{layer.name}.{role}")
        weights[roles[role]] = layout

    shift = weights[norm.weights["shift"]].to_dense()
    factor = weights[norm.weights["scale"]].to_dense().astype(np.float64)
    weight = weights[roles["weight"]]
    bias = weights[roles["bias"]].to_dense() if "bias" in roles else 0.0
    keep("bias", Dense(factor * bias + shift))
    if (factor == 1).all():
        pass  # only a shift: a bias that was added by itself
    elif not isinstance(weight, Quantised) and (
        isinstance(weight, Codebook) or "scale" in roles or has_few_values(weight.to_dense())
    ):
        before = weights[roles["scale"]].to_dense() if "scale" in roles else 1.0
        keep("scale", Dense(factor * before))
    else:
        keep("weight", _scaled(weight, factor))
    folded = replace(layer, weights=roles)
    nodes = [folded if n is layer else n for n in graph.nodes if n is not norm]
    return rename_value(graph.with_nodes(nodes, weights), norm.name, layer.name)


def _scaled(weight: Layout, factor: np.ndarray) -> Layout:
    """Return the weight with output channel k multiplied by factor[k], in the same form."""
    if isinstance(weight, Sparse):
        rows = weight.positions // (weight.size // weight.shape[0])
        return Sparse(weight.shape, weight.positions, weight.values * factor[rows])
    if isinstance(weight, Quantised):
        return Quantised(weight.integers, weight.scales * factor)
    array = weight.to_dense()
    return Dense(array * factor.reshape(-1, *(1,) * (array.ndim - 1)))
