"""A turn of a stream: its weights and offsets brought into registers with as few reads as can be.

A processor starts so many reads a cycle, of whatever kind, and a nonzero that reads its own vectors
needs nearly all of them. So weights come four at a time, offsets as many as a register holds, and
both a turn before they are needed: addresses then never wait. What is carried around the loop is
the word, not what it is taken apart into. LLVM reads a word again rather than carry it, or moves
the read to the end of the turn, if nothing is written in between; to it, a barrier is that.
"""

from __future__ import annotations

from llvmlite.ir import IntType, VectorType

from gossamer.compile.kernels.kernel import Values
from gossamer.jit.emitter import FLOAT, INT64, Emitter, Value

WORD_BYTES = 8
QUAD = 4
"""Weights that are read at once: what x86 spreads to all quarters of a vector while reading."""


def read_offsets(e: Emitter, turn: Value, first: int, count: int, offset_bytes: int) -> Values:
    """Read `count` offsets that begin at byte `first` of a turn, as words."""
    return [
        e.load(IntType(8 * offset_bytes * n), turn, first + offset_bytes * at, align=2)
        for at, n in _pieces(count, WORD_BYTES // offset_bytes)
    ]


def take_offsets(e: Emitter, words: Values, offset_bytes: int, unit: int) -> Values:
    """Return the offsets in words, in bytes; one counts `unit` bytes."""
    b, bits = e.builder, 8 * offset_bytes
    entries = [
        b.zext(b.trunc(b.lshr(word, word.type(shift)), IntType(bits)), INT64)
        for word in words
        for shift in range(0, word.type.width, bits)
    ]
    return [e.multiply(entry, unit) for entry in entries]


def read_weights(e: Emitter, turn: Value, count: int) -> Values:
    """Read the first `count` numbers of a turn, four (or the last few) into each quarter."""
    quads = [(e.load(VectorType(FLOAT, n), turn, 4 * at), n) for at, n in _pieces(count, QUAD)]
    return [e.shuffle(quad, quad, [lane % n for lane in range(e.lanes)]) for quad, n in quads]


def take_weights(e: Emitter, quads: Values, count: int) -> Values:
    """Return each of `count` numbers in all lanes."""
    return [
        e.shuffle(quad, quad, [lane - lane % QUAD + i for lane in range(e.lanes)])
        for quad, (_, n) in zip(quads, _pieces(count, QUAD), strict=True)
        for i in range(n)
    ]


def _pieces(count: int, most: int) -> list[tuple[int, int]]:
    """Cut `count` things into runs of `most`, a power of two, or the next lower that are left."""
    found, at = [], 0
    while at < count:
        size = min(most, 1 << (count - at).bit_length() - 1)
        found.append((at, size))
        at += size
    return found
