"""What all streams of the arithmetic code share: its bytes, its state, its end."""

from __future__ import annotations

import numpy as np

from gossamer.codec.mixing.arithmetic import END, LOW, POSITION, RANGE, SPENT, WRITING, carry
from gossamer.codec.mixing.mixer import BASES, CONTEXTS, FRESH, INPUTS, SCRATCH, START_WEIGHT
from gossamer.codec.mixing.tables import LARGEST, SQUASH, tables
from gossamer.errors import FormatError, TruncatedError
from gossamer.jit.loop import Loop

_AHEAD_BYTES = 4
_DECISION_BYTES = 2
_STATE = 16
_CARRY = Loop(carry)


class CodedStream:
    """One arithmetic code, and what its models have learnt so far.

    Every call both writes and reads: to write, it is given what to code and returns it; to read,
    what it is given does not matter except for its size. So a format is described once.

    Args:
        data: to read; None to write.
        slots: of the models.
        weights: of the models, (sets, 16).
        plain: run the loops as plain Python, for tests.
    """

    def __init__(
        self,
        data: bytes | memoryview | None,
        slots: np.ndarray,
        weights: np.ndarray,
        plain: bool = False,
    ) -> None:
        self.writing = data is None
        self._plain = plain
        self._slots, self._weights = slots, weights.ravel()
        self._inputs, self._bases = np.zeros(SCRATCH, np.int32), np.zeros(BASES, np.int64)
        self._tables = tables()
        ahead = b"" if data is None else bytes(data) + bytes(_AHEAD_BYTES)
        self._data = np.frombuffer(ahead, np.uint8) if ahead else np.zeros(4096, np.uint8)
        self._state = np.zeros(_STATE, np.int64)
        self._state[RANGE], self._state[WRITING] = 2**32 - 1, self.writing
        if data is not None:
            self._state[END], self._state[POSITION] = len(data), 4
            self._state[LOW] = int.from_bytes(bytes(self._data[:4]).ljust(4, b"\0"), "big")

    @property
    def ideal_bits(self) -> float:
        """The sum of −log₂ of the probabilities of all decisions so far."""
        return int(self._state[SPENT]) / 4096

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


def fresh_slots(count: int, refining: int) -> np.ndarray:
    """Return slots that know nothing; from `refining` on there are sets that refine a mean."""
    slots = np.full(count, FRESH, np.uint32)
    means = np.clip(128 * np.arange(33) - 2048, -LARGEST, LARGEST)
    start = np.clip(tables()[SQUASH + means + LARGEST], 16, 65520).astype(np.uint32) << 16 | 6
    slots[refining:].reshape(-1, 33)[:] = start
    return slots


def fresh_weights(sets: int, start: int = START_WEIGHT) -> np.ndarray:
    """Return sets of weights: `start` for stretches, 0 for distances from one half."""
    weights = np.zeros((sets, INPUTS), np.int32)
    weights[:, :CONTEXTS] = start
    return weights


def _shortest(low: int, width: int) -> int:
    """Return the number in low … low + width − 1 that ends in the most zero bytes."""
    for zeros in (32, 24, 16, 8, 0):
        mask = (1 << zeros) - 1
        number = (low + mask) & ~mask
        if number < low + width:
            break
    return number
