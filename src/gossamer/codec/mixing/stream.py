"""A stream of the mixing coder: numbers, floats and levels, written or read by the same calls."""

from __future__ import annotations

from math import prod

import numpy as np

from gossamer.codec.container import NEWEST
from gossamer.codec.mixing import floats, levels
from gossamer.codec.mixing.arithmetic import END, LOW, POSITION, RANGE, SPENT, WRITING, carry
from gossamer.codec.mixing.mixer import (
    BASES,
    CONTEXTS,
    FRESH,
    INPUTS,
    NODES,
    SCRATCH,
    START_WEIGHT,
)
from gossamer.codec.mixing.neighbours import FEATURES, SEEN
from gossamer.codec.mixing.places import BYTE_NODES, FLOATS, REFINE, SLOTS, TENSOR, WEIGHTS
from gossamer.codec.mixing.tables import LARGEST, SQUASH, tables
from gossamer.errors import FormatError, TruncatedError
from gossamer.jit.loop import Loop

LARGEST_LEVEL = 2**levels.LONGEST - 1
_CHUNK = 2**15
_AHEAD_BYTES = 4
_DECISION_BYTES = 2
_STATE = 16
_CODE_FILTERS = Loop(levels.code_filters)
_CODE_FLOATS = Loop(floats.code_floats)
_CODE_NUMBER = Loop(floats.code_number)
_CARRY = Loop(carry)


class MixedStream:
    """One arithmetic code, and what its models have learnt so far.

    Every call both writes and reads: to write, it is given what to code and returns it; to read,
    what it is given does not matter except for its size. So a format is described once.

    Args:
        data: to read; None to write.
        version: of the format, 3 or 4.
        plain: run the loops as plain Python, for tests.
    """

    def __init__(
        self,
        data: bytes | memoryview | None = None,
        *,
        version: int = NEWEST,
        plain: bool = False,
    ) -> None:
        self.writing = data is None
        self._version, self._plain = version, plain
        ahead = b"" if data is None else bytes(data) + bytes(_AHEAD_BYTES)
        self._data = np.frombuffer(ahead, np.uint8) if ahead else np.zeros(4096, np.uint8)
        self._state = np.zeros(_STATE, np.int64)
        self._state[RANGE], self._state[WRITING] = 2**32 - 1, self.writing
        self._tables = tables()
        self._slots = _fresh_slots()
        weights = np.zeros((WEIGHTS // INPUTS, INPUTS), np.int32)
        weights[:, :CONTEXTS] = START_WEIGHT
        self._weights = weights.ravel()
        self._inputs, self._bases = np.zeros(SCRATCH, np.int32), np.zeros(BASES, np.int64)
        if data is not None:
            self._state[END], self._state[POSITION] = len(data), 4
            self._state[LOW] = int.from_bytes(bytes(self._data[:4]).ljust(4, b"\0"), "big")

    @property
    def ideal_bits(self) -> float:
        """The sum of −log₂ of the probabilities of all decisions so far."""
        return int(self._state[SPENT]) / 4096

    def number(self, context: int, value: int = 0) -> int:
        """Code a number 0 … 2⁴⁰ − 2; numbers of one of the 16 contexts are alike."""
        return self._run(_CODE_NUMBER, 100, context, value)

    def floats(self, values: np.ndarray) -> np.ndarray:
        """Code float32 values bit for bit."""
        bits = np.array(values, np.float32).ravel().view(np.uint32)
        own = slice(FLOATS, FLOATS + BYTE_NODES)
        self._slots[own] = FRESH
        for start in range(0, len(bits), _CHUNK):
            part = bits[start : start + _CHUNK]
            self._run(_CODE_FLOATS, 40 * len(part), *self._mixing, part, len(part))
        return bits.view(np.float32)

    def levels(self, values: np.ndarray, longest: int) -> np.ndarray:
        """Code a tensor of integers of magnitudes below 2^longest, longest ≤ 15; returns int16."""
        filters, channels, taps, row = as_filters(values.shape)
        coded, longest = values.astype(np.int16).ravel(), max(longest, 1)
        self._slots[TENSOR : TENSOR + NODES] = FRESH
        seen = np.zeros(SEEN, np.int64)
        sums = np.zeros(channels + (2 * channels + 2 + FEATURES) * taps, np.int64)
        step = max(1, _CHUNK // max(1, channels * taps))
        for first in range(0, filters, step):
            last = min(first + step, filters)
            self._run(
                _CODE_FILTERS,
                (last - first) * channels * taps * (2 * longest + 1),
                *self._mixing,
                *(coded, seen, sums, channels, taps, row, first, last, longest, self._version),
            )
        return coded.reshape(values.shape)

    def finish(self) -> bytes:
        """Return what was written: the last interval as its shortest number, without zeros.

        To read, check that nothing is left and that the bytes are just those that would be written.

        Raises:
            FormatError: if they are others.
        """
        low, width = int(self._state[LOW]), int(self._state[RANGE])
        position = int(self._state[POSITION])
        if self.writing:
            self._reserve(4)
            self._state[LOW] = _shortest(low, width)
            if self._state[LOW] >> 32:
                _CARRY(self._data, self._state)
            self._data[position : position + 4] = list(int(self._state[LOW]).to_bytes(4, "big"))
            last = self._data[position : position + 4].tobytes().rstrip(b"\0")
            return self._data[:position].tobytes() + last
        data = bytes(self._data[: int(self._state[END])])
        window = int.from_bytes(data[position - 4 : position].ljust(4, b"\0"), "big")
        low = (window - low) % 2**32
        spare = len(data) > position or (len(data) > position - 4 and data[-1] == 0)
        if spare or _shortest(low, width) % 2**32 != window:
            raise FormatError("a stream does not end where it should")
        return data

    @property
    def _mixing(self) -> tuple[np.ndarray, ...]:
        return self._weights, self._inputs, self._bases

    def _run(self, loop: Loop, decisions: int, *arguments: np.ndarray | int) -> int:
        if self.writing:
            self._reserve(_DECISION_BYTES * decisions)
        run = loop.plain if self._plain else loop
        result = run(self._data, self._state, self._tables, self._slots, *arguments)
        if not self.writing and self._state[POSITION] > len(self._data) + 4:
            raise TruncatedError("a stream ends too early", got=f"{len(self._data)} bytes")
        return result

    def _reserve(self, more: int) -> None:
        """Make room for some more bytes."""
        needed = int(self._state[POSITION]) + more + 16
        if needed > len(self._data):
            grown = np.zeros(max(needed, 2 * len(self._data)), np.uint8)
            grown[: len(self._data)] = self._data
            self._data = grown


def as_filters(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return (filters, channels, taps, columns of a kernel) as which a tensor is seen.

    Examples:
        >>> as_filters((8, 3, 5, 7)), as_filters((10, 64)), as_filters((6,))
        ((8, 3, 35, 7), (10, 64, 1, 1), (6, 1, 1, 1))
    """
    if len(shape) < 2:
        return prod(shape), 1, 1, 1
    return shape[0], shape[1], prod(shape[2:]), shape[-1] if len(shape) > 2 else 1


def _fresh_slots() -> np.ndarray:
    slots = np.full(SLOTS, FRESH, np.uint32)
    means = np.clip(128 * np.arange(33) - 2048, -LARGEST, LARGEST)
    start = np.clip(tables()[SQUASH + means + LARGEST], 16, 65520).astype(np.uint32) << 16 | 6
    slots[REFINE:SLOTS].reshape(-1, 33)[:] = start
    return slots


def _shortest(low: int, width: int) -> int:
    """Return the number in low … low + width − 1 that ends in the most zero bytes."""
    for zeros in (32, 24, 16, 8, 0):
        mask = (1 << zeros) - 1
        number = (low + mask) & ~mask
        if number < low + width:
            break
    return number
