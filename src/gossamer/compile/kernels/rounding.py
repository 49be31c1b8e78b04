"""Rounding real numbers to levels, inside kernels."""

from __future__ import annotations

from gossamer.jit.emitter import FLOAT, Emitter, Value


def rounded(e: Emitter, x: Value) -> Value:
    """Return `x` as a whole number, halves to even; for vectors or scalars."""
    suffix = "f32" if x.type == FLOAT else f"v{e.lanes}f32"
    return e.intrinsic(f"llvm.rint.{suffix}", x.type, [x])


def limited(e: Emitter, x: Value, low: Value, high: Value) -> Value:
    """Return `x` no smaller than `low` and no larger than `high`; NaN stays."""
    b = e.builder
    x = b.select(b.fcmp_ordered("<", x, low), low, x)
    return b.select(b.fcmp_ordered(">", x, high), high, x)


def to_levels(e: Emitter, x: Value, scale: Value, low: Value, high: Value) -> Value:
    """Return the level next to `x` as a real number; low and high are whole numbers of scales."""
    return e.builder.fmul(limited(e, rounded(e, e.builder.fdiv(x, scale)), low, high), scale)
