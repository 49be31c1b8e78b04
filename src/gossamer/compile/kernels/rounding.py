"""Rounding real numbers to levels, inside kernels."""

from __future__ import annotations

from llvmlite import ir

from gossamer.jit.emitter import FLOAT, Emitter, Value

_LARGE = 12582912.0


def rounded(e: Emitter, x: Value) -> Value:
    """Return a number of less than 22 bits as a whole one, halves to even; NaN stays.

    Adding 1.5 · 2²³ leaves no room for a fraction; unlike the instruction, every processor has it.
    """
    large = ir.Constant(FLOAT, _LARGE) if x.type == FLOAT else e.constant(_LARGE)
    return e.builder.fsub(e.builder.fadd(x, large), large)


def limited(e: Emitter, x: Value, low: Value, high: Value) -> Value:
    """Return `x` no smaller than `low` and no larger than `high`; NaN stays."""
    b = e.builder
    x = b.select(b.fcmp_ordered("<", x, low), low, x)
    return b.select(b.fcmp_ordered(">", x, high), high, x)


def to_levels(e: Emitter, x: Value, scale: Value, low: Value, high: Value) -> Value:
    """Return the level next to `x` as a real number; low and high are whole numbers of scales."""
    return e.builder.fmul(rounded(e, limited(e, e.builder.fdiv(x, scale), low, high)), scale)
