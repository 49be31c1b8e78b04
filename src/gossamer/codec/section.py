"""What a section is made of: numbers, and streams of symbols that say which coder wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossamer.codec.coder import CODERS
from gossamer.codec.coder.coder import LARGEST_ALPHABET
from gossamer.codec.cursor import Cursor, uvarint
from gossamer.codec.limits import Budget
from gossamer.codec.versions import NEWEST
from gossamer.errors import FormatError
from gossamer.graph.layouts import Layout

# A stream begins with one number: _NUMBERS · length of its bytes + number of its coder.
_NUMBERS = 8


@dataclass(frozen=True)
class Stream:
    """What was found in a section.

    Args:
        label: what the symbols are.
        coder: registry name of the coder.
        symbols: how many.
        size_bytes: length in the file, the number in front included.
        ideal_bits: the sum of −log₂ of what the coder's model gave for each symbol; unknown for
            coders that store their model in tables.
    """

    label: str
    coder: str
    symbols: int
    size_bytes: int
    ideal_bits: float | None = None


class SectionReader(Cursor):
    """Reads one section front to back, and remembers the streams that it saw."""

    def __init__(self, data: memoryview, budget: Budget, version: int = NEWEST) -> None:
        super().__init__(data)
        self.version = version
        self._coders = [name for name, coder in CODERS.items() if coder.since <= version]
        self.streams: list[Stream] = []
        self._budget = budget

    def charge(self, symbols: int) -> None:
        """Count what takes memory but is not in a stream; raises as the budget does."""
        self._budget.take(symbols)

    def add_parts(
        self, coder: str, layouts: Sequence[Layout], ideal_bits: Sequence[float], size_bytes: int
    ) -> None:
        """Remember tensors that share a stream: its bytes are divided by their ideal lengths."""
        marks = np.rint(np.cumsum(ideal_bits) * (size_bytes / max(sum(ideal_bits), 1e-9)))
        marks[-1:] = size_bytes
        for layout, size, bits in zip(layouts, np.diff(marks, prepend=0), ideal_bits, strict=True):
            self.streams.append(Stream(layout.kind, coder, layout.size, int(size), bits))

    def stream(self, label: str, count: int, alphabet: int) -> np.ndarray:
        """Return the next `count` symbols, (count,) uint16, all below `alphabet`."""
        start = self.position
        length, number = divmod(self.uvarint(), _NUMBERS)
        names = self._coders
        if number >= len(names):
            raise FormatError("unknown coder", got=number, expected=names)
        if alphabet > LARGEST_ALPHABET:
            raise FormatError(
                "too large an alphabet", got=alphabet, expected=f"≤ {LARGEST_ALPHABET}"
            )
        self._budget.take(count)
        symbols = CODERS[names[number]].decode(self.take(length), count, alphabet)
        self.streams.append(Stream(label, names[number], count, self.position - start))
        return symbols


def write_stream(symbols: np.ndarray, alphabet: int) -> bytes:
    """Return the symbols by the coder that makes them smallest, the first of equals."""
    counts = np.bincount(symbols, minlength=alphabet)
    sizes = [coder.size_bytes(counts) for coder in CODERS.values()]
    number = sizes.index(min(sizes))
    payload = list(CODERS.values())[number].encode(symbols, alphabet)
    return uvarint(_NUMBERS * len(payload) + number) + payload


def smallest_size(counts: np.ndarray) -> int:
    """Return the bytes that the best coder needs for symbols with these counts."""
    return min(coder.size_bytes(counts) for coder in CODERS.values())
