"""Take the scale and shift of a norm into the convolution or linear layer before it."""

from __future__ import annotations

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse
from gossamer.graph.ops import Conv2d, Linear, ScaleShift
from gossamer.graph.rewrite.choose_layouts import has_few_values
from gossamer.graph.rewrite.edit import Draft


def fold_norm(graph: Graph) -> Graph:
    """Return the graph with every `scale_shift` folded that follows a convolution or linear layer.

    Computed in float64 and rounded once: bias′ = scale·bias + shift, weight′ = scale·weight. Where
    the weight's values are shared (a codebook), the scale is kept apart as the role `scale`, and
    they stay shared; a quantised weight has scales of its own. A layer with an activation or with
    other readers is left alone.
    """
    draft = Draft(graph)
    for norm in draft.of_kind(ScaleShift):
        layer = draft.maker(norm.inputs[0])
        if layer is not None and _can_fold(draft, layer):
            _fold(draft, layer, norm)
    return draft.graph()


def _can_fold(draft: Draft, layer: Node) -> bool:
    return (
        isinstance(layer.op, Conv2d | Linear)
        and layer.op.activation == "identity"
        and draft.only_reader(layer.name) is not None
    )


def _fold(draft: Draft, layer: Node, norm: Node) -> None:
    shift = draft.layout(norm, "shift").to_dense()
    factor = draft.layout(norm, "scale").to_dense().astype(np.float64)
    weight = draft.layout(layer, "weight")
    bias = draft.layout(layer, "bias").to_dense() if "bias" in layer.weights else 0.0
    made: dict[str, Layout] = {"bias": Dense(factor * bias + shift)}
    if (factor == 1).all():
        pass  # only a shift: a bias that was added by itself
    elif _keeps_scale_apart(layer, weight):
        before = draft.layout(layer, "scale").to_dense() if "scale" in layer.weights else 1.0
        made["scale"] = Dense(factor * before)
    else:
        made["weight"] = _scaled(weight, factor)
    draft.hold(layer, **made)
    draft.drop(norm)


def _keeps_scale_apart(layer: Node, weight: Layout) -> bool:
    """Whether a weight's values are shared, so that they must not be multiplied one by one."""
    if isinstance(weight, Quantised):
        return False
    shared = isinstance(weight, Codebook) or "scale" in layer.weights
    return shared or has_few_values(weight.to_dense())


def _scaled(weight: Layout, factor: np.ndarray) -> Layout:
    """Return the weight with output channel k multiplied by factor[k], in the same form."""
    if isinstance(weight, Sparse):
        rows = weight.positions // (weight.size // weight.shape[0])
        return Sparse(weight.shape, weight.positions, weight.values * factor[rows])
    if isinstance(weight, Quantised):
        return Quantised(weight.integers, weight.scales * factor)
    array = weight.to_dense()
    return Dense(array * factor.reshape(-1, *(1,) * (array.ndim - 1)))
