"""What becomes of a 32-bit sum of products: a real number, or the code of its level.

The table `levels` of a kernel holds 32-bit numbers: lowest and highest level of the result, counted
from its zero; what they are multiplied by before they are rounded; the word of four codes of zero;
and, as two equal halves of 16 bits, the lowest level, the highest, and the code of zero. Where
another value is added, there follow the levels of the sum without it, the factor that brings it to
the unit of the total, and factor and term of the other value's codes.

Codes are made in two ways. Everywhere: limited as real numbers, rounded by adding a large one, and
shifted to their byte. With AVX, if no result leaves 32 bits: rounded by the conversion, and
narrowed by instructions that saturate at 16 and 8 bits, which limits them, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import KernelEmitter
from gossamer.compile.kernels.rounding import rounded
from gossamer.jit.dot import integers
from gossamer.jit.emitter import BYTE, FLOAT, INT16, INT32, Value
from gossamer.jit.target import Target

_ROUND = 12582912.0  # 1.5 · 2^23: adding it rounds to a whole number, kept in the low bits
_ROUND_BITS = 0x4B400000
ROUND_WORD = -sum(_ROUND_BITS << 8 * i for i in range(4)) % 2**32
"""What four rounded numbers, shifted to their bytes and added up, have too little to be codes."""


@dataclass(frozen=True)
class Epilogue:
    """What is done with sums.

    Args:
        codes: whether the result is rounded to levels and written as codes; otherwise as floats.
        adds: whether the sum is rounded to levels of its own, and codes of another value added.
        activation: of the result; those that only limit it are part of its levels.
        packs: whether codes are narrowed by instructions that saturate.
        is_full: whether the levels are all that a byte holds, so that saturating limits them.
    """

    codes: bool = True
    adds: bool = False
    activation: str = "identity"
    packs: bool = False
    is_full: bool = False

    def label(self) -> str:
        """Return for example "codes-adds-pack-silu"."""
        flags = {"adds": self.adds, "pack": self.packs, "full": self.is_full}
        words = ["codes" if self.codes else "floats", *(name for name, on in flags.items() if on)]
        return "-".join([*words, self.activation])


class Levels:
    """Writes an epilogue; loads its numbers where it is made."""

    def __init__(self, e: KernelEmitter, epilogue: Epilogue) -> None:
        self._e, self._epilogue = e, epilogue
        self.outside: Value | None = None
        if not epilogue.codes:
            return
        table = e.pointer("levels")
        count = 12 if epilogue.adds else 7
        self._numbers = [e.splat(e.load(FLOAT, table, 4 * i)) for i in range(count)]
        self.outside = self._numbers[3]

    def real(self, value: Value) -> Value:
        """Return the result as a real number."""
        return activate(self._e, value, self._epilogue.activation)

    def plus(self, value: Value, codes: Value, byte: int) -> Value:
        """Round the sum to its own levels and add the other value, a byte of its quads."""
        e, b = self._e, self._e.builder
        low, high, unit, factor, term = self._numbers[7:12]
        value = rounded(e, within(e, value, low, high))
        other = b.sitofp(byte_of(e, codes, byte), e.vector)
        return e.fma(value, unit, e.fma(other, factor, term))

    def code(self, value: Value) -> Value:
        """Return a result as a 32-bit integer that `pair` takes."""
        e, b = self._e, self._e.builder
        low, high, unit, _ = self._numbers[:4]
        if self._epilogue.activation != "identity":
            value = b.fmul(activate(e, value, self._epilogue.activation), unit)
        if self._epilogue.packs:
            return _to_integers(e, value)
        return code_bits(e, within(e, value, low, high), 0)

    def pair(self, first: Value, second: Value) -> Value:
        """Return two neighbouring codes together."""
        e, b = self._e, self._e.builder
        if not self._epilogue.packs:
            return b.add(first, b.shl(second, integers(e, 8)))
        kind = ir.VectorType(INT16, 2 * e.lanes)
        both = e.intrinsic(_PACK_32[e.lanes], kind, [first, second])
        low, high, zero = (b.bitcast(number, kind) for number in self._numbers[4:7])
        if not self._epilogue.is_full:
            suffix = f"v{2 * e.lanes}i16"
            both = e.intrinsic(f"llvm.smax.{suffix}", kind, [both, low])
            both = e.intrinsic(f"llvm.smin.{suffix}", kind, [both, high])
        return e.intrinsic(f"llvm.sadd.sat.v{2 * e.lanes}i16", kind, [both, zero])

    def whole(self, first: Value, second: Value) -> Value:
        """Return four codes from two pairs, as a float vector of their bits."""
        e, b = self._e, self._e.builder
        if not self._epilogue.packs:
            packed = b.add(first, b.shl(second, integers(e, 16)))
            word = b.add(b.bitcast(self._numbers[3], e.int_vector), integers(e, ROUND_WORD))
            return b.bitcast(b.add(packed, word), e.vector)
        kind = ir.VectorType(BYTE, 4 * e.lanes)
        mixed = e.intrinsic(_PACK_16[e.lanes], kind, [first, second])
        # Rows lie in runs of four lanes: put the four codes of a lane side by side.
        order = [16 * block + 4 * row + lane for block in range(e.lanes // 4)
                 for lane in range(4) for row in range(4)]  # fmt: skip
        places = ir.Constant(ir.VectorType(INT32, 4 * e.lanes), order)
        return b.bitcast(b.shuffle_vector(mixed, mixed, places), e.vector)


_PACK_32 = {
    4: "llvm.x86.sse2.packssdw.128",
    8: "llvm.x86.avx2.packssdw",
    16: "llvm.x86.avx512.packssdw.512",
}
_PACK_16 = {
    4: "llvm.x86.sse2.packuswb.128",
    8: "llvm.x86.avx2.packuswb",
    16: "llvm.x86.avx512.packuswb.512",
}
_CONVERT = {4: "llvm.x86.sse2.cvtps2dq", 8: "llvm.x86.avx.cvt.ps2dq.256"}
_NEAREST = 8
"""Round to nearest, whatever the processor's mode."""


def can_pack(target: Target) -> bool:
    """Whether a machine has the instructions that narrow with saturation."""
    if target.lanes == 16:
        return target.isa == "avx512" and "+avx512bw" in target.features.split(",")
    return target.isa in ("avx2", "avx512")


def _to_integers(e: KernelEmitter, x: Value) -> Value:
    """Return real numbers of less than 31 bits rounded, halves to even; NaN becomes the lowest."""
    if e.lanes in _CONVERT:
        return e.intrinsic(_CONVERT[e.lanes], e.int_vector, [x])
    nothing, all_lanes = ir.Constant(e.int_vector, None), ir.Constant(INT16, -1)
    name = "llvm.x86.avx512.mask.cvtps2dq.512"
    return e.intrinsic(name, e.int_vector, [x, nothing, all_lanes, INT32(_NEAREST)])


def halves(value: int) -> np.ndarray:
    """Return a 16-bit number twice, as one float32 of those bits.

    Examples:
        >>> halves(-1).view(np.uint32).tolist() == [0xFFFFFFFF]
        True
    """
    return np.array([value, value], np.int16).view(np.float32)


def code_bits(e: KernelEmitter, value: Value, byte: int) -> Value:
    """Return a number of −255…255, rounded, at its byte; plus bits that `ROUND_WORD` undoes."""
    b = e.builder
    bits = b.bitcast(b.fadd(value, e.constant(_ROUND)), e.int_vector)
    return b.shl(bits, integers(e, 8 * byte)) if byte else bits


def byte_of(e: KernelEmitter, codes: Value, byte: int) -> Value:
    """Return one byte of each 32-bit lane as an integer."""
    b = e.builder
    moved = b.lshr(codes, integers(e, 8 * byte)) if byte else codes
    return b.and_(moved, integers(e, 255)) if byte < 3 else moved


def within(e: KernelEmitter, x: Value, low: Value, high: Value) -> Value:
    """Return `x` limited to low…high; NaN becomes low."""
    b = e.builder
    x = b.select(b.fcmp_ordered(">", x, low), x, low)
    return b.select(b.fcmp_ordered("<", x, high), x, high)


def zero_word(zero: int) -> np.ndarray:
    """Return four codes of zero as one float32 of their bits.

    Examples:
        >>> zero_word(128).view(np.uint32).tolist() == [0x80808080]
        True
    """
    return np.array([zero * 0x01010101], np.uint32).view(np.float32)
