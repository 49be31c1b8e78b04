"""Recognise activations that were written out: x · sigmoid(x), x · relu6(x + 3) / 6."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Activation, Multiply, ScaleShift
from gossamer.graph.rewrite.edit import Draft

_GATED = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}


def fuse_gate(graph: Graph) -> Graph:
    """Return the graph with silu, hard_sigmoid and hard_swish as one activation each.

    Recognised are relu6(x + 3) / 6, also where the division comes after the product with x, and
    x · sigmoid(x), x · hard_sigmoid(x). Saves the rounding to float32 in between.
    """
    draft = Draft(graph)
    for product in draft.of_kind(Multiply):
        _divide_before(draft, product)
    for clip in draft.of_kind(Activation):
        _hard_sigmoid(draft, clip)
    for product in draft.of_kind(Multiply):
        _gate(draft, product)
    return draft.graph()


def _gate(draft: Draft, product: Node) -> None:
    """Make x · f(x) one activation of x; f(x) stays if it has other readers."""
    for x, gate_name in (product.inputs, product.inputs[::-1]):
        gate = draft.maker(gate_name)
        if gate is None or not isinstance(gate.op, Activation) or gate.inputs != (x,):
            continue
        function = _GATED.get(gate.op.function)
        if function is not None:
            draft.put(replace(product, op=Activation(function), inputs=(x,)))
            if not draft.is_read(gate.name):
                draft.remove(gate)
            return


def _hard_sigmoid(draft: Draft, clip: Node) -> None:
    """Make relu6(x + 3) / 6 one activation of x."""
    before, after = draft.maker(clip.inputs[0]), draft.only_reader(clip.name)
    if clip.op != Activation("relu6") or before is None or after is None:
        return
    if not (_is_norm(draft, before, 1, 3) and _is_norm(draft, after, 1 / 6, 0)):
        return
    draft.put(replace(clip, op=Activation("hard_sigmoid"), inputs=before.inputs))
    draft.drop(after)
    if not draft.is_read(before.name):
        draft.remove(before)


def _divide_before(draft: Draft, product: Node) -> None:
    """Bring x · relu6(x + 3) / 6 into the form x · (relu6(x + 3) / 6)."""
    after = draft.only_reader(product.name)
    if after is None or not _is_norm(draft, after, 1 / 6, 0):
        return
    for x, gate_name in (product.inputs, product.inputs[::-1]):
        clip = draft.maker(gate_name)
        before = draft.maker(clip.inputs[0]) if clip is not None else None
        if clip is None or clip.op != Activation("relu6") or before is None:
            continue
        if before.inputs == (x,) and _is_norm(draft, before, 1, 3):
            draft.put(replace(after, name=product.name, inputs=(clip.name,)))
            draft.put(replace(product, name=after.name, inputs=(x, product.name)))
            return


def _is_norm(draft: Draft, node: Node, scale: float, shift: float) -> bool:
    """Whether a node is x · scale + shift in every channel."""
    if not isinstance(node.op, ScaleShift):
        return False
    given = [draft.layout(node, role).to_dense() for role in ("scale", "shift")]
    wanted = np.float32(scale), np.float32(shift)
    return all(
        np.allclose(array, value, rtol=1e-6, atol=0)
        for array, value in zip(given, wanted, strict=True)
    )
