"""Bit strings in bytes: the one place that says in which order bits lie.

The first bit of a string is the highest bit of its first byte. The last byte is filled with zeros.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gossamer.errors import FormatError, TruncatedError


def pack_bits(chunks: Iterable[np.ndarray]) -> bytes:
    """Return arrays of 0 and 1, put one after another, as bytes.

    Examples:
        >>> pack_bits([np.array([1, 0]), np.array([1])]).hex()
        'a0'
    """
    out: list[bytes] = []
    rest = np.zeros(0, np.uint8)
    for chunk in chunks:
        bits = np.concatenate([rest, chunk.astype(np.uint8, copy=False)])
        whole = len(bits) // 8 * 8
        out.append(np.packbits(bits[:whole]).tobytes())
        rest = bits[whole:]
    out.append(np.packbits(rest).tobytes())
    return b"".join(out)


def code_bits(codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the bits of codes put one after another, each highest bit first.

    Args:
        codes: (n,) unsigned numbers.
        lengths: (n,) how many low bits of each to write, ≤ 63.

    Examples:
        >>> code_bits(np.array([1, 2]), np.array([1, 3])).tolist()
        [1, 0, 1, 0]
    """
    lengths = lengths.astype(np.int64)
    ends = np.cumsum(lengths)
    owner = np.repeat(np.arange(len(codes)), lengths)
    shifts = ends[owner] - 1 - np.arange(len(owner))
    return ((codes.astype(np.int64)[owner] >> shifts) & 1).astype(np.uint8)


def unpack_fields(data: bytes | memoryview, width: int, count: int) -> np.ndarray:
    """Return `count` numbers of `width` bits each, uint16, width ≤ 16; the data must hold no more.

    Raises:
        FormatError: if the data is shorter or longer, or is not filled with zeros.
    """
    check_end(data, width * count)
    if width == 8:
        return np.frombuffer(data, np.uint8).astype(np.uint16)
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[: width * count].reshape(count, width)
    values = np.zeros(count, np.uint16)
    for column in bits.T:
        values = values << 1 | column
    return values


def check_end(data: bytes | memoryview, bits: int) -> None:
    """Raise unless a string of `bits` bits fills the data, but for zeros in the last byte."""
    total = 8 * len(data)
    if bits > total:
        raise TruncatedError(
            "a stream ends too early", got=f"{total} bits", expected=f"{bits} bits"
        )
    if total - bits >= 8:
        raise FormatError("a stream is too long", got=f"{total} bits", expected=f"{bits} bits")
    if bits < total and data[-1] & (1 << (total - bits)) - 1:
        raise FormatError("a stream is not filled with zeros")


def gamma_lengths(values: np.ndarray) -> np.ndarray:
    """Return the lengths of the Elias gamma codes of numbers ≥ 1; the code is the number itself.

    Written in 2·⌊log₂ v⌋ + 1 bits, a number has exactly the leading zeros that tell its length.

    Examples:
        >>> gamma_lengths(np.array([1, 2, 3, 4])).tolist()
        [1, 3, 3, 5]
    """
    return 2 * np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1


class GammaReader:
    """Reads Elias gamma codes and fields from the front of a bit string."""

    def __init__(self, data: bytes | memoryview) -> None:
        # The 1 in front keeps leading zeros; it is cut off with the "0b".
        self._text = bin(int.from_bytes(b"\1" + data, "big"))[3:]
        self.position = 0

    def read(self) -> int:
        """Return the next number, ≥ 1."""
        one = self._text.find("1", self.position)
        end = 2 * one - self.position + 1
        if one < 0 or end > len(self._text):
            raise TruncatedError("a code table ends too early")
        self.position = end
        return int(self._text[one:end], 2)

    def field(self, width: int) -> int:
        """Return the next `width` bits as a number."""
        end = self.position + width
        if end > len(self._text):
            raise TruncatedError("a code table ends too early")
        start, self.position = self.position, end
        return int("0" + self._text[start:end], 2)

    def whole_bytes(self) -> int:
        """Return how many bytes were read, the last one filled with zeros."""
        count = -(-self.position // 8)
        if "1" in self._text[self.position : 8 * count]:
            raise FormatError("a code table is not filled with zeros")
        return count
