"""Symbols as they are, each in the ⌈log₂ alphabet⌉ bits that any of them needs."""

from __future__ import annotations

import numpy as np

from gossamer.codec.bits import code_bits, pack_bits, unpack_fields
from gossamer.codec.coder.coder import Coder
from gossamer.errors import FormatError

_CHUNK = 2**16


def encode(symbols: np.ndarray, alphabet: int) -> bytes:
    """Return the symbols in fields of equal width.

    Examples:
        >>> encode(np.array([1, 2, 3]), 4).hex()
        '6c'
    """
    width = _width(alphabet)
    if width == 8:
        return symbols.astype(np.uint8).tobytes()
    chunks = (symbols[start : start + _CHUNK] for start in range(0, len(symbols), _CHUNK))
    return pack_bits(code_bits(chunk, np.full(len(chunk), width)) for chunk in chunks)


def decode(data: bytes | memoryview, count: int, alphabet: int) -> np.ndarray:
    """Return the symbols, uint16."""
    symbols = unpack_fields(data, _width(alphabet), count)
    if count and int(symbols.max()) >= alphabet:
        raise FormatError(
            "a symbol is not in the alphabet", got=int(symbols.max()), expected=f"< {alphabet}"
        )
    return symbols


def size_bytes(counts: np.ndarray) -> int:
    """Return the length of the encoded symbols."""
    return -(-int(counts.sum()) * _width(len(counts)) // 8)


def _width(alphabet: int) -> int:
    return max(alphabet - 1, 0).bit_length()


RAW = Coder(encode, decode, size_bytes)
