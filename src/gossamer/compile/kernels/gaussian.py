"""The normal distribution inside kernels: erf and GELU, exact to a few units in the last place.

Both come from the tail Φ(−a) = exp(−a²/2) · t · p(t), t = 1 / (1 + c · a), of which p is a
polynomial fitted over 0 ≤ a ≤ 14 by relative error (2.5e-8). So GELU keeps its digits where it
is almost zero, which x · (1 + erf(x/√2)) / 2 in float32 does not.
"""

from __future__ import annotations

from gossamer.compile.kernels.exponential import at_most, exp, like, polynomial, sigmoid
from gossamer.jit.emitter import Emitter, Value

_LARGEST = 14.0  # the tail beyond is no normal float32 number
_C = 0.26
_TAIL = (
    *(0.0305047967, -0.152828435, 0.251490564, -0.150948220, 0.160947397),
    *(0.0510278563, 0.103030214, 0.103016756, 0.103759060),
)
"""p, the highest power first."""
_ERF = (
    *(7.85386119e-05, -0.000801019358, 0.00518832768),
    *(-0.0268538119, 0.112835851, -0.376126258, 1.12837917),
)
"""erf(x) / x for |x| < 1 by powers of x², fitted by relative error (1.2e-9)."""


def gelu(e: Emitter, x: Value) -> Value:
    """Return x · Φ(x)."""
    b = e.builder
    tail = _tail(e, _size(e, x))
    below = b.fcmp_ordered("<", x, like(e, x, 0.0))
    return b.fmul(x, b.select(below, tail, b.fsub(like(e, x, 1.0), tail)))


def gelu_tanh(e: Emitter, x: Value) -> Value:
    """Return x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) / 2."""
    factor = (8 / 3.141592653589793) ** 0.5
    cubic = polynomial(e, e.builder.fmul(x, x), (0.044715 * factor, factor))
    return e.builder.fmul(x, sigmoid(e, e.builder.fmul(x, cubic)))


def erf(e: Emitter, x: Value) -> Value:
    """Return 2 · Φ(√2 · x) − 1: a series near zero, where that would cancel, the tail elsewhere."""
    b, size = e.builder, _size(e, x)
    near = b.fmul(x, polynomial(e, b.fmul(x, x), _ERF))
    tail = _tail(e, b.fmul(size, like(e, x, 2**0.5)))
    far = e.fma(tail, like(e, x, -2.0), like(e, x, 1.0))
    far = b.select(b.fcmp_ordered("<", x, like(e, x, 0.0)), b.fneg(far), far)
    return b.select(b.fcmp_ordered("<", size, like(e, x, 1.0)), near, far)


def _tail(e: Emitter, a: Value) -> Value:
    """Return Φ(−a), a ≥ 0. What a² loses by rounding would count a²/2 times: it is put back."""
    b = e.builder
    a = at_most(e, a, _LARGEST)
    t = b.fdiv(like(e, a, 1.0), e.fma(a, like(e, a, _C), like(e, a, 1.0)))
    square, minus_half = b.fmul(a, a), like(e, a, -0.5)
    lost = e.fma(a, a, b.fneg(square))
    density = exp(e, b.fmul(square, minus_half))
    density = e.fma(density, b.fmul(lost, minus_half), density)
    return b.fmul(density, b.fmul(t, polynomial(e, t, _TAIL)))


def _size(e: Emitter, x: Value) -> Value:
    """Return |x|; NaN stays."""
    b = e.builder
    return b.select(b.fcmp_ordered("<", x, like(e, x, 0.0)), b.fneg(x), x)
