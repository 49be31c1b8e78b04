"""Forms that weights have in a stream: numbers, or codes of a few bits for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.jit.emitter import FLOAT, Value

WORD_BITS = 32


class WeightForm(ABC):
    """How kernels make numbers of what a stream holds; equal records generate equal code."""

    @property
    @abstractmethod
    def bits(self) -> int:
        """Of one weight, at most a word's."""

    @property
    def per_word(self) -> int:
        """Weights that a word holds, the first in its lowest bits."""
        return WORD_BITS // self.bits

    @property
    def entry_bytes(self) -> int:
        """Of one weight where it is not packed: a word or a byte."""
        return 4 if self.bits > 8 else 1

    @abstractmethod
    def label(self) -> str:
        """Return for example "codes32"."""

    def table_entries(self, lanes: int) -> int:
        """Return how many float32 numbers `load` reads."""
        return 0

    def load(self, e: KernelEmitter, table: Value) -> Values:
        """Return what all weights are looked up in; before the loops."""
        return []

    @abstractmethod
    def take(self, e: KernelEmitter, held: Values, words: Value, place: int = 0) -> Value:
        """Return the numbers that begin at bit `place` of the words, one a lane."""


@dataclass(frozen=True)
class Floats(WeightForm):
    """The weights themselves."""

    @property
    def bits(self) -> int:
        """A word's."""
        return WORD_BITS

    def label(self) -> str:
        """Return "floats"."""
        return "floats"

    def take(self, e: KernelEmitter, held: Values, words: Value, place: int = 0) -> Value:
        """Words are numbers."""
        return e.builder.bitcast(words, e.vector)


@dataclass(frozen=True)
class SharedValues(WeightForm):
    """Places in a table, which is held in registers as far as there are enough.

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

    def table_entries(self, lanes: int) -> int:
        """Whole vectors, but for an entry that is left alone."""
        return self.count if self.count % lanes == 1 else -(-self.count // lanes) * lanes

    def load(self, e: KernelEmitter, table: Value) -> Values:
        """Return the table's vectors; an entry that is left alone fills one."""
        whole, left = divmod(self.table_entries(e.lanes), e.lanes)
        held = [e.load(e.vector, table, v * e.vector_bytes) for v in range(whole)]
        return held + [e.splat(e.load(FLOAT, table, whole * e.vector_bytes))] * left

    def take(self, e: KernelEmitter, held: Values, words: Value, place: int = 0) -> Value:
        """Look codes up in each vector, and choose among what is found by their upper bits."""
        codes = e.builder.lshr(words, e.integers(place)) if place else words
        return self._among(e, held, 0, codes)

    def _among(self, e: KernelEmitter, held: Values, first: int, codes: Value) -> Value:
        """Return what codes mean that lie in these vectors, the table's from `first` on."""
        if len(held) == 1:
            is_alone = first * e.lanes == self.count - 1
            return held[0] if is_alone else e.look_up(held, codes)
        if len(held) == 2 and e.looks_up_two:
            return e.look_up(held, codes)
        half = 1 << (len(held) - 1).bit_length() - 1
        low = self._among(e, held[:half], first, codes)
        high = self._among(e, held[half:], first + half, codes)
        bit = (half * e.lanes).bit_length() - 1
        to_sign = e.builder.shl(codes, e.integers(WORD_BITS - 1 - bit))
        return e.builder.select(e.builder.icmp_signed("<", to_sign, e.integers(0)), high, low)


@dataclass(frozen=True)
class Integers(WeightForm):
    """Whole numbers in two's complement.

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

    def take(self, e: KernelEmitter, held: Values, words: Value, place: int = 0) -> Value:
        """Spread the sign over the word, and convert."""
        b, above = e.builder, WORD_BITS - self.width
        lifted = b.shl(words, e.integers(above - place)) if above > place else words
        return b.sitofp(b.ashr(lifted, e.integers(above)), e.vector)
