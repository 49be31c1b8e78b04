"""The tables of the mixing coder, made of integers only: the same on every machine.

A probability p has 16 bits; its *stretch* is ln(p / (1 − p)) in steps of 1/256, −2047 … 2047, and
*squash* is the way back.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import numpy as np

SQUASH = 0
"""4,095 probabilities of 16 bits, for stretches −2047 … 2047."""
STRETCH = 4096
"""4,096 stretches, for the highest 12 bits of a probability."""
COST = 8192
"""4,096 lengths in 1/4096 bit, for the highest 12 bits of the probability of what happened."""
PACE = 12288
"""By how often a slot was used: 512 times how far it moves towards what it saw, in 1/65536, plus
how much it counts as an input, in 1/256."""
TRUST_BITS = 9
SIZE = 13312
COUNTS = 1024
"""A slot counts its uses up to 1,023."""
LARGEST = 2047
"""Of a stretch."""

_ONE = 1 << 96


@lru_cache(maxsize=1)
def tables() -> np.ndarray:
    """Return all tables, one after another, (SIZE,) int32, read-only."""
    found = np.zeros(SIZE, np.int32)
    squash = _squash()
    found[SQUASH : SQUASH + len(squash)] = squash
    centres = (np.arange(4096) * 16 + 8).tolist()
    found[STRETCH : STRETCH + 4096] = np.searchsorted(squash, centres) - LARGEST
    np.clip(found[STRETCH : STRETCH + 4096], -LARGEST, LARGEST, out=found[STRETCH : STRETCH + 4096])
    found[COST : COST + 4096] = [_cost(2 * index + 1) for index in range(4096)]
    for count in range(COUNTS):
        rate = 65536 * 5 // (5 * count + 8)
        trust = isqrt(65536 * (10 * count + 3) // (10 * count + 25))
        found[PACE + count] = rate << TRUST_BITS | trust
    found.flags.writeable = False
    return found


def _squash() -> list[int]:
    """Return 65536 / (1 + exp(−x / 256)), rounded down, for x = −2047 … 2047.

    exp(−1/256) is a series in fixed point of 96 bits.
    """
    step, term, index = _ONE, _ONE, 0
    while term:
        index += 1
        term //= 256 * index
        step += -term if index % 2 else term
    falling, value = [], _ONE
    for _ in range(LARGEST + 1):
        falling.append(value)
        value = value * step >> 96
    upper = [65536 * _ONE // (_ONE + value) for value in falling]
    lower = [65536 * value // (_ONE + value) for value in reversed(falling[1:])]
    return lower + upper


def _cost(probability: int) -> int:
    """Return −log₂(probability / 8192) in 1/4096 bit: twelve bits of it by squaring."""
    whole = probability.bit_length() - 1
    mantissa, fraction = probability << (40 - whole), 0
    for _ in range(12):
        mantissa = mantissa * mantissa >> 40
        fraction *= 2
        if mantissa >> 41:
            mantissa >>= 1
            fraction += 1
    return (13 - whole) * 4096 - fraction
