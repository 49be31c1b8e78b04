"""k winners, on flat memory: find the k-th largest bit by bit, keep what is larger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT32, INT64, Value

_SIGN, _LARGEST, _INFINITY = INT32(-(2**31)), INT32(-1), INT32(0x7F800000)


@dataclass(frozen=True)
class WinnersKernel(Kernel):
    """y = x for the `winners` largest entries of each line, else 0; of equal ones the first win.

    Floats are compared as integers of their order (`_rank`). The k-th largest rank is found from
    its highest bit down, with a pass over the line for each of 32 bits: that many passes whatever
    the numbers are, and no memory. Entry e of line l lies l · line_bytes + e · entry_bytes in.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "length",
        "line_bytes",
        "entry_bytes",
        "winners",
        "line_shares",
    )

    def label(self) -> str:
        """Return "f32-winners"."""
        return "f32-winners"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each line, find the lowest winner, then keep all that are no lower."""
        e, b = emitter, emitter.builder
        x, y = e.pointer("input"), e.pointer("output")
        length, step, winners = (e.number(s) for s in ("length", "entry_bytes", "winners"))
        with e.loop(*e.share("line_shares")) as line:
            at = e.multiply(line, e.number("line_bytes"))
            source, target = e.at(x, at), e.at(y, at)

            def rank(entry: Value, source: Value = source) -> Value:
                return _rank(e, e.load(INT32, source, e.multiply(entry, step)))

            def count(is_counted: str, limit: Value) -> Value:
                with e.carried_loop(0, length, 1, [INT64(0)]) as (entry, (so_far,), set_next):
                    counts = b.icmp_unsigned(is_counted, rank(entry), limit)
                    set_next([b.add(so_far, b.zext(counts, INT64))])
                return e.loop_results[0]

            with e.carried_loop(0, 32, 1, [INT32(0), _SIGN]) as (_, (lowest, bit), set_next):
                trial = b.or_(lowest, bit)
                enough = b.icmp_signed(">=", count(">=", trial), winners)
                set_next([b.select(enough, trial, lowest), b.lshr(bit, INT32(1))])
            lowest = e.loop_results[0]
            equals = b.sub(winners, count(">", lowest))
            with e.carried_loop(0, length, 1, [equals]) as (entry, (left,), set_next):
                own, offset = rank(entry), e.multiply(entry, step)
                is_equal = b.icmp_unsigned("==", own, lowest)
                wins = b.and_(is_equal, b.icmp_signed(">", left, INT64(0)))
                set_next([b.sub(left, b.zext(wins, INT64))])
                wins = b.or_(wins, b.icmp_unsigned(">", own, lowest))
                value = b.select(wins, e.load(FLOAT, source, offset), ir.Constant(FLOAT, 0.0))
                e.store(value, target, offset)


def _rank(e: KernelEmitter, bits: Value) -> Value:
    """Return, for the bits of a float, an unsigned integer that is larger for a larger float.

    −0 is 0, and NaN the largest. In integers alone, for floating point may take tiny numbers as 0.
    """
    b = e.builder
    size = b.and_(bits, INT32(2**31 - 1))
    flips = b.or_(b.ashr(bits, INT32(31)), _SIGN)  # all bits of what is negative, else the sign
    rank = b.select(b.icmp_unsigned("==", size, INT32(0)), _SIGN, b.xor(bits, flips))
    return b.select(b.icmp_unsigned(">", size, _INFINITY), _LARGEST, rank)
