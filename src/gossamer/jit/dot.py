"""Products of four bytes with four weights, added to 32-bit sums: one way for each processor.

A *quad* is four channels: one byte each, unsigned, in every 32-bit lane of a vector; its weights
are four signed bytes, the same for all lanes. Every way is exact: nothing saturates.

- `vnni`: one instruction (AVX-512 VNNI, AVX-VNNI).
- `madd`: even and odd bytes are widened to 16 bits once for each vector of inputs; products of
  pairs are added in 32 bits (AVX2, AVX-512BW).
- `short`: pairs of products are added in 16 bits over one turn of the stream, and widened once a
  turn. Exact if no such sum can leave 16 bits, which whoever writes the stream has to see to.
- `sdot`: one instruction on signed bytes (NEON); inputs count from −128.
- `plain`: multiplications in 32 bits, on any processor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from gossamer.jit.emitter import BYTE, FLOAT, INT16, INT32, Emitter, Value, Values

WORDS = {"vnni": 1, "madd": 2, "short": 1, "sdot": 1, "plain": 4}
"""32-bit words in the stream for the four weights of a quad."""
SHIFTS = {"sdot": 128}
"""What inputs are lessened by before they are multiplied."""


def pack_weights(weights: np.ndarray, dot: str) -> np.ndarray:
    """Return (n, R, words) int32 of (n, R, 4) int8 weights.

    Examples:
        >>> pack_weights(np.array([[[1, 0, 2, 0]]], np.int8), "madd").tolist()
        [[[131073, 0]]]
    """
    if dot == "plain":
        return weights.astype(np.int32)
    if dot == "madd":
        pairs = weights.astype(np.int16)[..., [0, 2, 1, 3]]
        return np.ascontiguousarray(pairs).view(np.int32)
    return np.ascontiguousarray(weights).view(np.int32)


def load_words(e: Emitter, turn: Value, offset: int, dot: str) -> Values:
    """Return the weights of a quad, in all lanes."""
    words = [e.splat(e.load(FLOAT, turn, offset + 4 * i)) for i in range(WORDS[dot])]
    return [e.builder.bitcast(word, e.int_vector) for word in words]


def prepare(e: Emitter, x: Value, dot: str) -> Values:
    """Return a vector of inputs as `dot_product` takes it, to be used for several rows."""
    b = e.builder
    match dot:
        case "madd":
            return [b.and_(x, integers(e, 0x00FF00FF)), _in_shorts(e, x)]
        case "sdot":
            return [b.xor(x, integers(e, 0x80808080))]
        case "plain":
            moved = [x, *(b.lshr(x, integers(e, 8 * i)) for i in (1, 2, 3))]
            return [b.and_(part, integers(e, 255)) for part in moved]
    return [x]


def dot_product(
    e: Emitter, total: Value, inputs: Sequence[Values], weights: Sequence[Values], dot: str
) -> Value:
    """Return the sum with the products of the quads of one turn added."""
    if dot == "short":
        return _short_products(e, total, inputs, weights)
    for x, w in zip(inputs, weights, strict=True):
        for part, word in zip(x, w, strict=True):
            total = _ADD[dot](e, total, part, word)
    return total


def integers(e: Emitter, value: int) -> Value:
    """Return a vector of 32-bit integers that are all the same, given by their bits."""
    return ir.Constant(e.int_vector, [ir.Constant(INT32, value)] * e.lanes)


def _in_shorts(e: Emitter, x: Value) -> Value:
    """Return the odd bytes of `x`, each in 16 bits."""
    kind = ir.VectorType(INT16, 2 * e.lanes)
    eight = ir.Constant(kind, [ir.Constant(INT16, 8)] * (2 * e.lanes))
    return e.builder.bitcast(e.builder.lshr(e.builder.bitcast(x, kind), eight), e.int_vector)


def _vnni(e: Emitter, total: Value, x: Value, w: Value) -> Value:
    name = f"llvm.x86.avx512.vpdpbusd.{32 * e.lanes}"
    return e.intrinsic(name, e.int_vector, [total, *_as(e, BYTE, 4, x, w)])


def _madd(e: Emitter, total: Value, x: Value, w: Value) -> Value:
    return e.builder.add(total, _pairs(e, *_as(e, INT16, 2, x, w)))


def _sdot(e: Emitter, total: Value, x: Value, w: Value) -> Value:
    name = f"llvm.aarch64.neon.sdot.v{e.lanes}i32.v{4 * e.lanes}i8"
    return e.intrinsic(name, e.int_vector, [total, *_as(e, BYTE, 4, x, w)])


def _plain(e: Emitter, total: Value, x: Value, w: Value) -> Value:
    return e.builder.add(total, e.builder.mul(x, w))


_ADD = {"vnni": _vnni, "madd": _madd, "sdot": _sdot, "plain": _plain}
_PAIRS = {
    4: "llvm.x86.sse2.pmadd.wd",
    8: "llvm.x86.avx2.pmadd.wd",
    16: "llvm.x86.avx512.pmaddw.d.512",
}
_BYTES = {
    4: "llvm.x86.ssse3.pmadd.ub.sw.128",
    8: "llvm.x86.avx2.pmadd.ub.sw",
    16: "llvm.x86.avx512.pmaddubs.w.512",
}


def _short_products(
    e: Emitter, total: Value, inputs: Sequence[Values], weights: Sequence[Values]
) -> Value:
    shorts = ir.VectorType(INT16, 2 * e.lanes)
    small = None
    for (x,), (w,) in zip(inputs, weights, strict=True):
        pairs = e.intrinsic(_BYTES[e.lanes], shorts, _as(e, BYTE, 4, x, w))
        small = pairs if small is None else e.builder.add(small, pairs)
    ones = ir.Constant(shorts, [ir.Constant(INT16, 1)] * (2 * e.lanes))
    return e.builder.add(total, _pairs(e, small, ones))


def _pairs(e: Emitter, x: Value, w: Value) -> Value:
    """Return, for each 32-bit lane, the sum of two products of 16 bits."""
    return e.intrinsic(_PAIRS[e.lanes], e.int_vector, [x, w])


def _as(e: Emitter, kind: ir.Type, each: int, *vectors: Value) -> Values:
    return [e.builder.bitcast(v, ir.VectorType(kind, each * e.lanes)) for v in vectors]
