"""What programs may answer where infinities and NaN come in (docs/design/0005).

`interpret` multiplies by every weight, and 0 · ∞ is NaN. Kernels may leave out weights that are
zero: `interpret_skipping` leaves out all of them. A program's answer is what the interpreter says,
or, where that is NaN, what both leave: NaN, or the number that skipping gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gossamer.graph import Graph, Node, interpret
from gossamer.graph.interpret import MEANING, activate

NUDGE = 2.0**-20
"""Relative change of inputs, eight times the rounding of float32, that results may come from."""


def interpret_skipping(graph: Graph, x: np.ndarray) -> np.ndarray:
    """Return what the interpreter does if weights that are zero do not count at all."""
    known = {graph.input.name: x}
    for node in graph.nodes:
        weights = _weights(graph, node)
        inputs = [known[name] for name in node.inputs]
        meaning = _skipping if "weight" in weights else MEANING[type(node.op)]
        with np.errstate(over="ignore", invalid="ignore"):
            known[node.name] = meaning(node.op, inputs, weights).astype(np.float32)
    return known[graph.output]


def _weights(graph: Graph, node: Node) -> dict[str, np.ndarray]:
    return {role: graph.weights[name].to_dense() for role, name in node.weights.items()}


def assert_allowed(graph: Graph, x: np.ndarray, got: np.ndarray, tolerance: float) -> None:
    """Compare a program's answer with what is allowed.

    Numbers may differ by `tolerance` of the largest or, where sums cancel, by what changes if each
    input does in its last bits.
    """
    expected, skipped = interpret(graph, x), interpret_skipping(graph, x)
    assert got.shape == expected.shape
    chosen = np.where(np.isnan(expected) & ~np.isnan(got), skipped, expected)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(chosen))
    np.testing.assert_array_equal(np.where(np.isinf(got), got, 0), _infinities(chosen))
    finite = np.isfinite(chosen)
    scale = max(float(np.abs(chosen[finite]).max(initial=0)), 1e-6)
    difference = float(np.abs(got[finite] - chosen[finite]).max(initial=0))
    if difference > tolerance * scale:
        assert difference <= tolerance * scale + _change_by_rounding(graph, x, skipped)


def _change_by_rounding(graph: Graph, x: np.ndarray, answer: np.ndarray) -> float:
    """Return the largest change of the answer if inputs change by a few of their last bits."""
    most, rng = 0.0, np.random.default_rng(0)
    for _ in range(4):
        nudged = x * (1 + NUDGE * rng.choice([-1, 1], x.shape))
        with np.errstate(invalid="ignore"):
            change = np.abs(interpret_skipping(graph, nudged.astype(np.float32)) - answer)
        most = max(most, float(change[np.isfinite(change)].max(initial=0)))
    return most


def _skipping(op: Any, inputs: list[np.ndarray], weights: dict[str, np.ndarray]) -> np.ndarray:
    """Add what is finite, and what is not finite by sign, over weights that are not zero."""
    x, weight = inputs[0], weights["weight"].astype(np.float64)
    if "scale" in weights:
        weight = weight * weights["scale"].reshape((-1,) + (1,) * (weight.ndim - 1))
    plain = replace(op, activation="identity")

    def reach(entries: np.ndarray, taps: np.ndarray) -> np.ndarray:
        meaning: Callable[..., np.ndarray] = MEANING[type(op)]
        return meaning(plain, [entries.astype(np.float32)], {"weight": taps})

    y = reach(np.where(np.isfinite(x), x, 0), weight)
    up = reach(x == np.inf, weight > 0) + reach(x == -np.inf, weight < 0)
    down = reach(x == np.inf, weight < 0) + reach(x == -np.inf, weight > 0)
    y = y + np.where(up > 0, np.inf, 0) - np.where(down > 0, np.inf, 0)
    y = np.where(reach(np.isnan(x), weight != 0) > 0, np.nan, y)
    if "bias" in weights:
        y = y + weights["bias"].reshape((-1,) + (1,) * (y.ndim - 2))
    return activate(y, op.activation)


def _infinities(x: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(x), x, 0)
