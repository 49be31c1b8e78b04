"""A stream of the mixing coder: numbers, floats and levels, written or read by the same calls."""

from __future__ import annotations

from math import prod

import numpy as np

from gossamer.codec.mixing import floats, levels
from gossamer.codec.mixing.coded import CodedStream, fresh_slots, fresh_weights
from gossamer.codec.mixing.even import EVEN, is_noise
from gossamer.codec.mixing.mixer import CONTEXTS, FRESH, INPUTS, LEARNING, MOST_USES, NODES, TWICE
from gossamer.codec.mixing.neighbours import FEATURES, SEEN
from gossamer.codec.mixing.places import (
    BY_BYTE,
    BYTE_NODES,
    FLOAT_BITS,
    FLOATS,
    REFINE,
    SLOTS,
    TENSOR,
    WEIGHTS,
)
from gossamer.codec.mixing.trend import TREND, begin_list
from gossamer.codec.versions import NEWEST
from gossamer.errors import FormatError
from gossamer.jit.loop import Loop

LARGEST_LEVEL = 2**levels.LONGEST - 1
_CHUNK = 2**15
# Contexts of numbers: how many uses slots of levels count, how a list of floats is coded.
_STEADY, _PLAIN, _EVEN = 6, 7, 8
_USES = (127, 1023)
_LEARNING = {3: 80, 4: 80, 5: 140, 6: 180}
_LONG_LIST = 4096
"""Floats of a list that is not worth the time to be mixed."""
_FLOAT_WEIGHT, _TREND_WEIGHT = 65536 // 25, 65536 * 4 // 5
_NOISE = 8
"""Uses of a mantissa's slots at first: most mantissas are noise."""
_CODE_FILTERS = Loop(levels.code_filters)
_CODE_FLOATS = Loop(floats.code_floats)
_CODE_NUMBER = Loop(floats.code_number)


class MixedStream(CodedStream):
    """Numbers, floats and levels in one stream.

    Args:
        data: to read; None to write.
        version: of the format, from 3 on.
        steady: to write, whether what levels are like stays the same from layer to layer; from
            version 5 on.
        plain: run the loops as plain Python, for tests.

    Attributes:
        totals: sums of the weights of each filter that the next floats may follow.
    """

    def __init__(
        self,
        data: bytes | memoryview | None = None,
        *,
        version: int = NEWEST,
        steady: bool = True,
        plain: bool = False,
    ) -> None:
        weights = fresh_weights(WEIGHTS // INPUTS)
        if version > 4:
            weights[BY_BYTE // INPUTS :, :CONTEXTS] = _FLOAT_WEIGHT
            weights[BY_BYTE // INPUTS :, 1] = _TREND_WEIGHT
        slots = fresh_slots(SLOTS, REFINE)
        if version > 4:
            slots[FLOAT_BITS : floats.REPEATED] += _NOISE
        super().__init__(data, slots, weights, plain)
        self._version = version
        self.totals: np.ndarray | None = None
        self._trend = np.zeros(TREND, np.int64)
        self._predictors: dict[tuple[int, int], np.ndarray] = {}
        self._state[LEARNING] = _LEARNING[version]
        self._state[TWICE], self._uses = version > 4, _USES[-1]
        if version > 4:
            self._uses = self._choice(_STEADY, _USES, int(steady))

    @property
    def chains(self) -> bool:
        """Whether the version knows chained levels."""
        return self._version > 4

    def number(self, context: int, value: int = 0) -> int:
        """Code a number 0 … 2⁴⁰ − 2; numbers of one of the 16 contexts are alike."""
        return self._run(_CODE_NUMBER, 100, context, value)

    def floats(self, values: np.ndarray, totals: np.ndarray | None = None) -> np.ndarray:
        """Code float32 values bit for bit; `totals` are numbers that they may follow, int64."""
        bits = np.array(values, np.float32).ravel().view(np.uint32)
        plain = even = 0
        if self._version > 5 and len(bits):
            plain = self._choice(_PLAIN, (0, 1), int(len(bits) > _LONG_LIST))
            even = self._choice(_EVEN, (0, EVEN), int(is_noise(bits)))
        following = self._version > 4 and len(bits) > 1 and not plain
        if following:
            begin_list(self._trend)
        if totals is None or len(totals) != len(bits):
            totals = np.zeros(min(len(bits), _CHUNK), np.int64)
        own = slice(FLOATS, FLOATS + BYTE_NODES)
        self._slots[own] = FRESH
        self._state[MOST_USES] = _USES[-1]
        for start in range(0, len(bits), _CHUNK):
            part = bits[start : start + _CHUNK]
            beside = totals[start : start + _CHUNK] if len(totals) == len(bits) else totals
            others = part, beside, self._trend, len(part), int(following), plain, even
            self._run(_CODE_FLOATS, 40 * len(part), *self._mixing, *others)
        return bits.view(np.float32)

    def levels(self, values: np.ndarray, longest: int, *, chained: bool = False) -> np.ndarray:
        """Code a tensor of integers of magnitudes below 2^longest, longest ≤ 15; returns int16.

        Chained, their lowest bits are those of `gossamer.codec.parity`, and halves of magnitudes
        are below 2^longest, longest ≤ 14.
        """
        filters, channels, taps, row = as_filters(values.shape)
        coded, longest = values.astype(np.int16).ravel(), max(longest, 1)
        self._slots[TENSOR : TENSOR + NODES] = FRESH
        self._state[MOST_USES] = self._uses
        seen = np.zeros(SEEN, np.int64)
        sums = np.zeros(channels + (2 * channels + 2 + FEATURES) * taps, np.int64)
        predictor = sums[len(sums) - FEATURES * taps :]
        predictor[:] = self._predictors.get((taps, row), 0)
        step = max(1, _CHUNK // max(1, channels * taps))
        for first in range(0, filters, step):
            last = min(first + step, filters)
            self._run(
                _CODE_FILTERS,
                (last - first) * channels * taps * (2 * longest + 1),
                *self._mixing,
                *(coded, seen, sums, channels, taps, row, first, last),
                *(longest, self._version, int(chained)),
            )
        if self._version > 4:
            self._predictors[taps, row] = predictor.copy()
        return coded.reshape(values.shape)

    def _choice(self, context: int, choices: tuple[int, ...], index: int) -> int:
        """Code which of some numbers is meant."""
        index = self.number(context, index)
        if index >= len(choices):
            raise FormatError("no such choice", got=index, expected=f"< {len(choices)}")
        return choices[index]


def as_filters(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return (filters, channels, taps, columns of a kernel) as which a tensor is seen.

    Examples:
        >>> as_filters((8, 3, 5, 7)), as_filters((10, 64)), as_filters((6,))
        ((8, 3, 35, 7), (10, 64, 1, 1), (6, 1, 1, 1))
    """
    if len(shape) < 2:
        return prod(shape), 1, 1, 1
    return shape[0], shape[1], prod(shape[2:]), shape[-1] if len(shape) > 2 else 1
