"""Canonical Huffman codes (Huffman 1952; Schwartz and Kallick 1964) of at most 16 bits.

Only code lengths are stored: for each symbol that occurs, in increasing order, its distance from
the one before and the change of length, both as Elias gamma codes. The table ends where the code is
complete (Σ 2^−length = 1), so that no count is stored; a symbol that occurs alone has a code of no
bits. The codes follow in the same bit string.

Decoding looks up symbol and length by the next bits, in a native loop.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gossamer.codec.bits import (
    GammaReader,
    check_end,
    code_bits,
    gamma_lengths,
    pack_bits,
)
from gossamer.codec.coder.coder import Coder
from gossamer.codec.coder.huffman_loop import AHEAD_BYTES, decode_loop
from gossamer.codec.coder.lengths import code_lengths
from gossamer.errors import FormatError, TruncatedError

LONGEST_CODE = 16
_CHUNK = 2**16


def encode(symbols: np.ndarray, alphabet: int) -> bytes:
    """Return the code table and the codes of the symbols.

    Examples:
        >>> encode(np.array([7, 7, 7]), 8).hex()  # distance 8, length 0, and no bits for the codes
        '11'
    """
    if not len(symbols):
        return b""
    counts = np.bincount(symbols, minlength=alphabet)
    used = np.flatnonzero(counts)
    lengths = code_lengths(counts, LONGEST_CODE)
    codes = canonical_codes(lengths)

    def chunks() -> Iterator[np.ndarray]:
        numbers = _table(used, lengths[used])
        yield code_bits(numbers, gamma_lengths(numbers))
        for start in range(0, len(symbols), _CHUNK):
            chunk = symbols[start : start + _CHUNK]
            yield code_bits(codes[chunk], lengths[chunk])

    return pack_bits(chunks())


def decode(data: bytes | memoryview, count: int, alphabet: int) -> np.ndarray:
    """Return the symbols, uint16."""
    if count == 0:
        check_end(data, 0)
        return np.zeros(0, np.uint16)
    used, lengths, start = _read_table(data, alphabet)
    if len(used) == 1:
        check_end(data, start)
        return np.full(count, used[0], np.uint16)
    if count > 8 * len(data) - start:
        raise TruncatedError("a stream ends too early", expected=f"{count} symbols")
    symbols, end = _decode_codes(data, start, count, used, lengths)
    check_end(data, end)
    return symbols


def size_bytes(counts: np.ndarray) -> int:
    """Return the length of the encoded symbols, table included."""
    used = np.flatnonzero(counts)
    if not len(used):
        return 0
    lengths = code_lengths(counts, LONGEST_CODE)
    table_bits = gamma_lengths(_table(used, lengths[used])).sum()
    return -(-int(table_bits + (counts * lengths).sum()) // 8)


def canonical_codes(lengths: np.ndarray) -> np.ndarray:
    """Return the codes: numbered by length, then symbol, each starting where the last one ended.

    Examples:
        >>> canonical_codes(np.array([1, 3, 0, 3, 2])).tolist()
        [0, 6, 0, 7, 2]
    """
    codes = np.zeros(len(lengths), np.int64)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    spans = 1 << (LONGEST_CODE - lengths[order])
    codes[order] = (np.cumsum(spans) - spans) >> (LONGEST_CODE - lengths[order])
    return codes


def _table(used: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the numbers ≥ 1 that describe the code: distance, change of length, distance, …."""
    changes = np.diff(lengths, prepend=0)
    numbers = np.empty(2 * len(used), np.int64)
    numbers[0::2] = np.diff(used, prepend=-1)
    numbers[1::2] = np.where(changes >= 0, 2 * changes, -2 * changes - 1) + 1
    return numbers


def _read_table(data: bytes | memoryview, alphabet: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the symbols that occur, their code lengths, and the bit at which the codes start."""
    # Distances add up to at most the alphabet and changes take at most 11 bits: 13 a symbol.
    reader = GammaReader(data[: 2 * alphabet + 2])
    symbol, length, room = -1, 0, 1 << LONGEST_CODE
    used, lengths = [], []
    while room > 0:
        symbol += reader.read()
        change = reader.read() - 1
        length += -(change + 1) // 2 if change % 2 else change // 2
        if symbol >= alphabet or not 0 <= length <= LONGEST_CODE:
            raise FormatError(
                "a code table is wrong", got=(symbol, length), expected=f"symbols < {alphabet}"
            )
        room -= 1 << (LONGEST_CODE - length)
        used.append(symbol)
        lengths.append(length)
    if room:
        raise FormatError("a code table has more codes than fit")
    return np.array(used, np.uint16), np.array(lengths), reader.position


def _decode_codes(
    data: bytes | memoryview, start: int, count: int, used: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return `count` symbols whose codes start at bit `start`, and the bit at which they end."""
    width = int(lengths.max())
    order = np.argsort(lengths, kind="stable")
    entries = used[order] | lengths[order].astype(np.uint32) << LONGEST_CODE
    table = np.repeat(entries, 1 << (width - lengths[order]))
    padded = np.frombuffer(bytes(data) + bytes(AHEAD_BYTES), np.uint8)
    symbols = np.empty(count, np.uint16)
    end = decode_loop()(
        padded.ctypes.data,
        start,
        8 * len(data),
        table.ctypes.data,
        width,
        symbols.ctypes.data,
        count,
    )
    if end < 0:
        raise TruncatedError(
            "a stream ends too early", got=f"{~end} symbols", expected=f"{count} symbols"
        )
    return symbols, end


HUFFMAN = Coder(encode, decode, size_bytes)
