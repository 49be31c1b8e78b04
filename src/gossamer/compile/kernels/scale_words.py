"""A table of numbers written anew, some of them multiplied by factors that are sought for each."""

from __future__ import annotations

from gossamer.compile.kernels.kernel import KernelEmitter
from gossamer.jit.emitter import Value


def scale_words(
    e: KernelEmitter, words: Value, offsets: Value, factors: Value, target: Value, end: Value
) -> None:
    """Write 32-bit words, each multiplied by the factor at its offset, or as it is.

    Args:
        e: writes the code.
        words: address of the table.
        offsets: one 32-bit byte offset a word among the factors; negative: the word is copied.
        factors: their address, float32.
        target: where the table is written to, aligned.
        end: bytes of the table, whole vectors.
    """
    b = e.builder
    with e.loop(0, end, e.vector_bytes) as at:
        word, offset = e.load(e.vector, words, at), e.load(e.int_vector, offsets, at)
        product = b.fmul(word, e.gather(factors, offset))
        copied = b.icmp_signed("<", offset, offset.type(None))
        held, scaled = (b.bitcast(vector, e.int_vector) for vector in (word, product))
        e.store(b.select(copied, held, scaled), e.at(target, at), align=e.vector_bytes)
