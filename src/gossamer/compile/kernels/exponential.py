"""Exponentials inside kernels, on vectors or single floats; NaN passes through all of them."""

from __future__ import annotations

from llvmlite import ir

from gossamer.jit.emitter import FLOAT, INT32, Emitter, Value

_LOG2_E = 1.4426950408889634
_LN_2_HIGH, _LN_2_LOW = 0.693359375, -2.12194440e-4
_ROUND = 12582912.0  # 1.5 · 2^23: adding it rounds to a whole number, kept in the low bits
_EXP_RANGE = (-87.0, 88.0)
_EXP_TERMS = (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0)
_POWER_TERMS = (0.0013264727, 0.009671513, 0.055507336, 0.24022242, 0.693147, 1.0)
"""Of 2^f, −½ ≤ f ≤ ½, to 1.1·10⁻⁷: the polynomial of degree 5 that is 1 at 0 and errs least."""
_POWER_RANGE = (-126.0, 128.0)


def sigmoid(e: Emitter, x: Value) -> Value:
    """Return 1 / (1 + exp(−x))."""
    return e.builder.fdiv(like(e, x, 1.0), _one_and_exp(e, x))


def silu(e: Emitter, x: Value) -> Value:
    """Return x / (1 + exp(−x))."""
    return e.builder.fdiv(x, _one_and_exp(e, x))


def _one_and_exp(e: Emitter, x: Value) -> Value:
    """Return 1 + exp(−x), infinity at −∞.

    It counts in powers of two: what that rounds of large x is far below the 1, or is next to zero
    after the division.
    """
    b = e.builder
    y = b.fmul(x, like(e, x, -_LOG2_E))
    y = at_most(e, at_least(e, y, _POWER_RANGE[0]), _POWER_RANGE[1])
    shifted = b.fadd(y, like(e, x, _ROUND))
    rest = b.fsub(y, b.fsub(shifted, like(e, x, _ROUND)))
    power = _power_of_two(e, shifted)
    return e.fma(polynomial(e, rest, _POWER_TERMS), power, like(e, x, 1.0))


def tanh(e: Emitter, x: Value) -> Value:
    """Return tanh(x) = q / (q + 2) with q = exp(2x) − 1, which loses nothing near zero."""
    power, series = _exp_parts(e, e.builder.fadd(x, x))
    q = e.fma(power, series, e.builder.fsub(power, like(e, x, 1.0)))
    return e.builder.fdiv(q, e.builder.fadd(q, like(e, x, 2.0)))


def exp(e: Emitter, x: Value) -> Value:
    """Return exp(x) to about two units in the last place, x limited to where it is normal."""
    power, series = _exp_parts(e, x)
    return e.fma(power, series, power)


def _exp_parts(e: Emitter, x: Value) -> tuple[Value, Value]:
    """Return 2ⁿ and exp(r) − 1 for x = n·ln 2 + r, n whole: the exponent written, the series."""
    b = e.builder
    x = at_most(e, at_least(e, x, _EXP_RANGE[0]), _EXP_RANGE[1])
    shifted = e.fma(x, like(e, x, _LOG2_E), like(e, x, _ROUND))
    n = b.fsub(shifted, like(e, x, _ROUND))
    r = e.fma(n, like(e, x, -_LN_2_HIGH), x)
    r = e.fma(n, like(e, x, -_LN_2_LOW), r)
    return _power_of_two(e, shifted), b.fmul(polynomial(e, r, _EXP_TERMS), r)


def _power_of_two(e: Emitter, shifted: Value) -> Value:
    """Return 2ⁿ for a whole number n that `_ROUND` was added to; infinity for 128."""
    b, integers = e.builder, INT32 if shifted.type == FLOAT else e.int_vector
    exponent = b.shl(b.bitcast(shifted, integers), _integers(e, integers, 23))
    return b.bitcast(b.add(exponent, _integers(e, integers, 0x3F800000)), shifted.type)


def polynomial(e: Emitter, x: Value, terms: tuple[float, ...]) -> Value:
    """Return terms[0] · xⁿ + … + terms[n]."""
    total = like(e, x, terms[0])
    for term in terms[1:]:
        total = e.fma(total, x, like(e, x, term))
    return total


def like(e: Emitter, x: Value, value: float) -> Value:
    """Return a constant, in every lane if `x` is a vector."""
    return ir.Constant(FLOAT, value) if x.type == FLOAT else e.constant(value)


def at_least(e: Emitter, x: Value, bound: float) -> Value:
    """Return x, or the bound where x is below it."""
    limit = like(e, x, bound)
    return e.builder.select(e.builder.fcmp_ordered("<", x, limit), limit, x)


def at_most(e: Emitter, x: Value, bound: float) -> Value:
    """Return x, or the bound where x is above it."""
    limit = like(e, x, bound)
    return e.builder.select(e.builder.fcmp_ordered(">", x, limit), limit, x)


def _integers(e: Emitter, kind: ir.Type, value: int) -> Value:
    return ir.Constant(kind, value if kind == INT32 else [ir.Constant(INT32, value)] * e.lanes)
