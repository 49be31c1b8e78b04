"""Recognise GELU that was written out, exactly by erf or approximately by tanh."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Dense
from gossamer.graph.ops import Activation, Add, Multiply, ScaleShift
from gossamer.graph.rewrite.edit import Draft
from gossamer.graph.rewrite.join_norms import join_norms
from gossamer.graph.rewrite.remove_dead import remove_dead

_RELATIVE = 1e-6
"""By how much a constant in a file may differ from what it stands for; or it is that in half the
bits, as in a file of float16."""


def fuse_gelu(graph: Graph) -> Graph:
    """Return the graph with x · (1 + f(x)) / 2 as one activation of x.

    f(x) is erf(x / √2), or tanh(√(2/π) · (x + 0.044715 · x³)). The half may be a factor of x, of
    the sum or of the product, and other factors may stand with it. Saves the rounding in between.
    """
    draft = Draft(graph)
    products = [product for product in draft.of_kind(Multiply) if _fuse(draft, product)]
    return join_norms(remove_dead(draft.graph())) if products else graph


def _fuse(draft: Draft, product: Node) -> bool:
    """Make a · x · (c + c · f(x)) an activation of x, times 2 · a · c; return whether it is one."""
    for value, gate_name in (product.inputs, product.inputs[::-1]):
        gate = draft.maker(gate_name)
        half = _norm(draft, gate)
        if gate is None or half is None or half[0] != half[1] or not draft.only_reader(gate_name):
            continue
        function, x = _curve(draft, draft.maker(gate.inputs[0])) or ("", "")
        factor = 2 * half[0] * _factor(draft, value, x)
        if function and factor:
            _put(draft, product, gate, Node(product.name, Activation(function), (x,)), factor)
            return True
    return False


def _put(draft: Draft, product: Node, gate: Node, activation: Node, factor: float) -> None:
    """Put the activation in the place of the product, or of the gate if a factor is left."""
    if abs(factor - 1) <= _RELATIVE:
        draft.put(activation)
        return
    draft.put(replace(activation, name=gate.name))
    ones = np.ones(len(draft.layout(gate, "scale").to_dense()))
    scaled = draft.put(Node(product.name, ScaleShift(), (gate.name,)))
    draft.hold(scaled, scale=Dense(factor * ones), shift=Dense(0 * ones))


def _curve(draft: Draft, node: Node | None) -> tuple[str, str] | None:
    """Return the activation that f belongs to, and what it is a function of."""
    inner = None if node is None else draft.maker(node.inputs[0])
    if node is None or inner is None:
        return None
    if node.op == Activation("erf") and _is_times(draft, inner, 0.5**0.5):
        return "gelu", inner.inputs[0]
    if node.op == Activation("tanh") and _is_times(draft, inner, (2 / pi) ** 0.5):
        x = _cubic(draft, draft.maker(inner.inputs[0]))
        return None if x is None else ("gelu_tanh", x)
    return None


def _cubic(draft: Draft, total: Node | None) -> str | None:
    """Return x where a node is x + 0.044715 · x³."""
    if total is None or not isinstance(total.op, Add) or total.op.activation != "identity":
        return None
    for x, term_name in (total.inputs, total.inputs[::-1]):
        term = draft.maker(term_name)
        is_term = term is not None and _is_times(draft, term, 0.044715)
        if term is not None and is_term and _is_cube(draft, term.inputs[0], x):
            return x
    return None


def _is_cube(draft: Draft, name: str, x: str) -> bool:
    """Whether a value is x · x · x."""
    cube = draft.maker(name)
    if cube is None or not isinstance(cube.op, Multiply) or x not in cube.inputs:
        return False
    square = draft.maker(cube.inputs[1 - cube.inputs.index(x)])
    return square is not None and isinstance(square.op, Multiply) and square.inputs == (x, x)


def _factor(draft: Draft, value: str, x: str) -> float:
    """Return a where a value is a · x, zero if it is not."""
    if value == x:
        return 1.0
    node = draft.maker(value)
    norm = _norm(draft, node)
    is_times = node is not None and node.inputs == (x,) and norm is not None and norm[1] == 0
    return norm[0] if norm is not None and is_times else 0.0


def _is_times(draft: Draft, node: Node, factor: float) -> bool:
    """Whether a node multiplies every channel by this factor."""
    norm = _norm(draft, node)
    if norm is None or norm[1] != 0:
        return False
    return norm[0] == np.float16(factor) or abs(norm[0] / factor - 1) <= _RELATIVE


def _norm(draft: Draft, node: Node | None) -> tuple[float, float] | None:
    """Return scale and shift of a norm that is the same for all channels."""
    if node is None or not isinstance(node.op, ScaleShift):
        return None
    scale, shift = (draft.layout(node, role).to_dense() for role in ("scale", "shift"))
    if (scale != scale[0]).any() or (shift != shift[0]).any():
        return None
    return float(scale[0]), float(shift[0])
