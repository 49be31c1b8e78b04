"""Activations inside kernels, on vectors or single floats; NaN passes through all of them."""

from __future__ import annotations

from gossamer.compile.kernels.exponential import at_least, at_most, like, sigmoid, silu, tanh
from gossamer.compile.kernels.gaussian import erf, gelu, gelu_tanh
from gossamer.graph.activations import slope_of
from gossamer.jit.emitter import Emitter, Value

LONG = ("sigmoid", "silu", "tanh", "erf", "gelu", "gelu_tanh")
"""Activations that need registers for a dozen constants and numbers on the way."""


def activate(e: Emitter, x: Value, function: str) -> Value:
    """Return the activation of `x` by its name, as `gossamer.graph.activations` has it."""
    match function:
        case "relu":
            return at_least(e, x, 0.0)
        case "relu6":
            return at_most(e, at_least(e, x, 0.0), 6.0)
        case "sigmoid":
            return sigmoid(e, x)
        case "tanh":
            return tanh(e, x)
        case "silu":
            return silu(e, x)
        case "hard_sigmoid":
            return _hard_sigmoid(e, x)
        case "hard_swish":
            return e.builder.fmul(x, _hard_sigmoid(e, x))
        case "erf":
            return erf(e, x)
        case "gelu":
            return gelu(e, x)
        case "gelu_tanh":
            return gelu_tanh(e, x)
        case "identity":
            return x
    slope = slope_of(function)
    assert slope is not None, function
    below = e.builder.fcmp_ordered("<", x, like(e, x, 0.0))
    return e.builder.select(below, e.builder.fmul(x, like(e, x, slope)), x)


def cut(e: Emitter, x: Value, threshold: Value) -> Value:
    """Return x where it is above a threshold, else zero; NaN stays."""
    low = e.builder.fcmp_ordered("<=", x, threshold)
    return e.builder.select(low, like(e, x, 0.0), x)


def _hard_sigmoid(e: Emitter, x: Value) -> Value:
    shifted = e.builder.fadd(x, like(e, x, 3.0))
    return e.builder.fmul(at_most(e, at_least(e, shifted, 0.0), 6.0), like(e, x, 1 / 6))
