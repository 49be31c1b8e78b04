"""What a section is made of: numbers, and streams of symbols that say which coder wrote them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.codec.coder import CODERS
from gossamer.codec.coder.coder import LARGEST_ALPHABET
from gossamer.codec.cursor import Cursor, uvarint
from gossamer.codec.limits import Budget
from gossamer.errors import FormatError

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
    """

    label: str
    coder: str
    symbols: int
    size_bytes: int


class SectionReader(Cursor):
    """Reads one section front to back, and remembers the streams that it saw."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        super().__init__(data)
        self.streams: list[Stream] = []
        self._budget = budget

    def charge(self, symbols: int) -> None:
        """Count what takes memory but is not in a stream; raises as the budget does."""
        self._budget.take(symbols)

    def stream(self, label: str, count: int, alphabet: int) -> np.ndarray:
        """Return the next `count` symbols, (count,) uint16, all below `alphabet`."""
        start = self.position
        length, number = divmod(self.uvarint(), _NUMBERS)
        names = list(CODERS)
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
