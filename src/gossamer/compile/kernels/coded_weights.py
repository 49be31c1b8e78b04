"""Weights that a kernel reads as codes of a few bits, and makes numbers of in registers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from llvmlite import ir

from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.jit.emitter import FLOAT, INT32, Value

WORD_BITS = 32


class CodedWeights(ABC):
    """What codes mean; equal records generate equal code."""

    @property
    @abstractmethod
    def bits(self) -> int:
        """Bits of a code, 1…8."""

    @property
    def per_word(self) -> int:
        """How many codes a word holds, the first in its lowest bits."""
        return WORD_BITS // self.bits

    @abstractmethod
    def label(self) -> str:
        """Return for example "codes32"."""

    @abstractmethod
    def load(self, e: KernelEmitter, table: Value) -> Values:
        """Read what all look-ups share, before any loop."""

    @abstractmethod
    def take(self, e: KernelEmitter, held: Values, words: Value, place: int) -> Value:
        """Return the numbers whose codes begin at bit `place` of the words, one a lane."""


@dataclass(frozen=True)
class SharedValues(CodedWeights):
    """Codes are places in a table, which is held in registers as far as there are enough.

    Args:
        count: entries of the table, 1…256.
    """

    count: int

    @property
    def bits(self) -> int:
        """As many as the last place needs."""
        return max(1, (self.count - 1).bit_length())

    def label(self) -> str:
        """Return for example "codes32"."""
        return f"codes{self.count}"

    def load(self, e: KernelEmitter, table: Value) -> Values:
        """Read whole vectors; an entry that is left alone fills one."""
        whole, left = divmod(self.count, e.lanes)
        held = [e.load(e.vector, table, v * e.vector_bytes) for v in range(whole + (left > 1))]
        if left == 1:
            held.append(e.splat(e.load(FLOAT, table, whole * e.vector_bytes)))
        return held

    def table_entries(self, lanes: int) -> int:
        """Return how many numbers `load` reads."""
        return self.count if self.count % lanes == 1 else -(-self.count // lanes) * lanes

    def take(self, e: KernelEmitter, held: Values, words: Value, place: int) -> Value:
        """Look the codes up in each vector, and choose among those by the codes' upper bits."""
        codes = e.builder.lshr(words, e.integers(place)) if place else words
        return self._among(e, held, 0, codes)

    def _among(self, e: KernelEmitter, held: Values, first: int, codes: Value) -> Value:
        """Return what the codes mean if they lie in vectors of the table from `first` on."""
        if len(held) == 1:
            is_alone = first * e.lanes == self.count - 1
            return held[0] if is_alone else e.look_up(held, codes)
        if len(held) == 2 and e.looks_up_two:
            return e.look_up(held, codes)
        half = 1 << (len(held) - 1).bit_length() - 1
        low, high = held[:half], held[half:]
        bit = (half * e.lanes).bit_length() - 1
        is_high = e.builder.icmp_signed(
            "<", e.builder.shl(codes, e.integers(WORD_BITS - 1 - bit)), e.integers(0)
        )
        return e.builder.select(
            is_high, self._among(e, high, first + half, codes), self._among(e, low, first, codes)
        )


@dataclass(frozen=True)
class Integers(CodedWeights):
    """Codes are the weights themselves, in two's complement.

    Args:
        width: bits of each, 1…8.
    """

    width: int

    @property
    def bits(self) -> int:
        """The width."""
        return self.width

    def label(self) -> str:
        """Return for example "int8"."""
        return f"int{self.width}"

    def load(self, e: KernelEmitter, table: Value) -> Values:
        """There is no table."""
        return []

    def take(self, e: KernelEmitter, held: Values, words: Value, place: int) -> Value:
        """Spread the sign over the word, and convert."""
        b, above = e.builder, WORD_BITS - self.width
        lifted = b.shl(words, e.integers(above - place)) if above > place else words
        return b.sitofp(b.ashr(lifted, e.integers(above)), e.vector)
