"""Make one norm of two that follow each other: what is left of a product and a sum."""

from __future__ import annotations

import numpy as np

from gossamer.graph.graph import Graph
from gossamer.graph.layouts import Dense
from gossamer.graph.ops import LayerNorm, ScaleShift
from gossamer.graph.rewrite.edit import Draft


def join_norms(graph: Graph) -> Graph:
    """Return the graph with every `scale_shift` joined with the norm that it alone reads.

    Computed in float64 and rounded once: (x · a + b) · c + d = x · ac + (bc + d). What then does
    nothing is dropped.
    """
    draft = Draft(graph)
    for second in draft.of_kind(ScaleShift):
        first = draft.maker(second.inputs[0])
        if first is None or not isinstance(first.op, ScaleShift | LayerNorm):
            continue
        if draft.only_reader(first.name) is None:
            continue
        a, b, c, d = (
            draft.layout(node, role).to_dense().astype(np.float64)
            for node in (first, second)
            for role in ("scale", "shift")
        )
        draft.drop(second)
        is_affine = isinstance(first.op, ScaleShift)
        if is_affine and (a * c == 1).all() and not (b * c + d).any():
            draft.drop(first)
        else:
            draft.hold(first, scale=Dense(a * c), shift=Dense(b * c + d))
    return draft.graph()
