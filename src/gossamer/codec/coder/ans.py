"""Range asymmetric numeral systems (Duda 2009) with one table of frequencies a stream.

Frequencies add up to 2¹², or to 2¹⁶ where more than 1,024 symbols occur. The table begins with 1 in
the first case and 2 in the second, as Elias gamma code, and lists the symbols that occur,
increasing: for each the distance from the one before and the change of the number of bits of its
frequency, as Elias gamma codes, then the frequency's bits below the highest; it ends where the sum
is full, at a whole byte. A symbol alone takes no more. Else four states of 32 bits follow, and the
words of 16 bits that they take as they fall below 2¹⁶; symbol i belongs to state i mod 4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gossamer.codec.bits import GammaReader, code_bits, gamma_lengths, pack_bits
from gossamer.codec.coder.ans_loop import LANES, LOWEST, read_words, write_words
from gossamer.codec.coder.coder import Coder
from gossamer.errors import FormatError, TruncatedError

_BITS, _MOST_BITS, _FEW = 12, 16, 1024
_LONGEST_FREQUENCY = 17


def encode(symbols: np.ndarray, alphabet: int) -> bytes:
    """Return the table, the last states and the words.

    Examples:
        >>> encode(np.array([7, 7, 7]), 8).hex()  # distance 8, a a frequency of 13 bits
        '880d8000'
    """
    if not len(symbols):
        return b""
    counts = np.bincount(symbols, minlength=alphabet)
    used = np.flatnonzero(counts)
    bits, frequencies = frequencies_of(counts[used])
    table = pack_bits(_table(used, frequencies))
    if len(used) == 1:
        return table
    starts = np.cumsum(frequencies) - frequencies
    entries = np.zeros(alphabet, np.int64)
    entries[used] = starts << 32 | frequencies
    words = np.zeros(len(symbols) + LANES, np.uint16)
    states = np.full(LANES, LOWEST, np.int64)
    first = write_words(symbols.astype(np.uint16), entries, words, states, len(symbols), bits)
    return table + states.astype("<u4").tobytes() + words[first:].astype("<u2").tobytes()


def decode(data: bytes | memoryview, count: int, alphabet: int) -> np.ndarray:
    """Return the symbols, uint16."""
    if count == 0:
        if len(data):
            raise FormatError("bytes are left over", got=len(data), expected=0)
        return np.zeros(0, np.uint16)
    used, frequencies, bits, start = _read_table(data, alphabet)
    if len(used) == 1:
        if len(data) != start:
            raise FormatError("bytes are left over", got=len(data), expected=start)
        return np.full(count, used[0], np.uint16)
    rest = bytes(data[start:])
    if len(rest) < 4 * LANES or len(rest) % 2:
        raise TruncatedError("a stream ends too early", got=len(rest))
    states = np.frombuffer(rest, "<u4", LANES).astype(np.int64)
    words = np.frombuffer(rest, "<u2", offset=4 * LANES).astype(np.uint16)
    if states.min() < LOWEST:
        raise FormatError("a state is too small", got=int(states.min()), expected=f"≥ {LOWEST}")
    symbols = np.empty(count, np.uint16)
    taken = read_words(symbols, _slots(used, frequencies), words, states, count, bits, len(words))
    if taken != len(words) or (states != LOWEST).any():
        raise FormatError("a stream does not end where it should")
    return symbols


def size_bytes(counts: np.ndarray) -> int:
    """Return about the length of the encoded symbols, table included."""
    used = np.flatnonzero(counts)
    if not len(used):
        return 0
    bits, frequencies = frequencies_of(counts[used])
    table_bits = sum(len(part) for part in _table(used, frequencies))
    payload_bits = float((counts[used] * (bits - np.log2(frequencies))).sum())
    states_bits = 16 * LANES if len(used) > 1 else 0
    return -(-table_bits // 8) + int(payload_bits + states_bits) // 8


def frequencies_of(counts: np.ndarray) -> tuple[int, np.ndarray]:
    """Return (bits, frequencies ≥ 1 that add up to 2^bits) for counts ≥ 1.

    Rounded shares; what they miss is taken from, or given to, the most frequent symbols.

    Examples:
        >>> frequencies_of(np.array([1, 10000, 20000]))
        (12, array([   1, 1365, 2730]))
    """
    bits = _BITS if len(counts) <= _FEW else _MOST_BITS
    frequencies = np.maximum(1, (2 * counts * 2**bits + counts.sum()) // (2 * counts.sum()))
    missing = 2**bits - int(frequencies.sum())
    order = np.argsort(-frequencies, kind="stable")
    while missing:
        for index in order[: abs(missing)]:
            step = max(1 - int(frequencies[index]), missing // len(order) or np.sign(missing))
            frequencies[index] += step
            missing -= step
            if not missing:
                break
    return bits, frequencies


def _table(used: np.ndarray, frequencies: np.ndarray) -> Iterator[np.ndarray]:
    lengths = np.array([int(frequency).bit_length() for frequency in frequencies])
    changes = np.diff(lengths, prepend=0)
    numbers = np.stack(
        [np.diff(used, prepend=-1), np.where(changes >= 0, 2 * changes, -2 * changes - 1) + 1]
    )
    widths = gamma_lengths(numbers)
    codes = np.stack([*numbers, frequencies - (1 << (lengths - 1))], axis=1)
    full = np.array([1 if len(used) <= _FEW else 2])
    yield code_bits(full, gamma_lengths(full))
    yield code_bits(codes.ravel(), np.stack([*widths, lengths - 1], axis=1).ravel())


def _read_table(data: bytes | memoryview, alphabet: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Return the symbols, their frequencies, the bits of the sum, and the first byte after."""
    # Distances add up to at most the alphabet; changes and frequencies take at most 27 bits.
    reader = GammaReader(data[: 5 * alphabet + 16])
    bits = {1: _BITS, 2: _MOST_BITS}.get(reader.read(), 0)
    symbol, length, total = -1, 0, 0
    used, frequencies = [], []
    while total < 2**bits or not bits:
        symbol += reader.read()
        change = reader.read() - 1
        length += -(change + 1) // 2 if change % 2 else change // 2
        if symbol >= alphabet or not 1 <= length <= _LONGEST_FREQUENCY or not bits:
            raise FormatError("a table of frequencies is wrong", got=(symbol, length))
        frequency = 1 << length - 1 | reader.field(length - 1)
        total += frequency
        used.append(symbol)
        frequencies.append(frequency)
    if total > 2**bits:
        raise FormatError("frequencies add up to too much", got=total, expected=2**bits)
    return np.array(used), np.array(frequencies), bits, reader.whole_bytes()


def _slots(used: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return for each remainder of a state its symbol, frequency, and place in the frequency."""
    owner = np.repeat(np.arange(len(used)), frequencies)
    starts = np.cumsum(frequencies) - frequencies
    place = np.arange(len(owner)) - starts[owner]
    return used[owner] | frequencies[owner] << 16 | place << 40


ANS = Coder(encode, decode, size_bytes, since=3)
