"""The contexts of a magnitude, made of what is known when it is coded."""

from __future__ import annotations

from gossamer.codec.mixing.mixer import NODES
from gossamer.codec.mixing.neighbours import (
    CHANNEL_1,
    CHANNEL_2,
    CHANNEL_3,
    CHANNEL_MEAN,
    FILTER_1,
    FILTER_2,
    FILTER_3,
    FILTER_MEAN,
    GUESS,
    GUESS_STEPS,
    KERNEL_MEAN,
    LEFT,
    PLACE_MEAN,
    UP,
    UP_LEFT,
    UP_RIGHT,
)
from gossamer.codec.mixing.places import (
    BESIDE,
    EXPECTED,
    FILTER_CHANNEL,
    KERNEL,
    PLACE,
    PREDICTED,
    PREDICTION,
    TENSOR,
)
from gossamer.jit.loop import I64, Int


def choose_contexts(seen: I64, bases: I64, expected: Int) -> Int:
    """Set where the eight contexts of a magnitude have their slots."""
    left = size_class(seen[LEFT])
    around = 3 * (abs(seen[LEFT]) + abs(seen[UP])) + abs(seen[UP_LEFT]) + abs(seen[UP_RIGHT])
    around += 2 * abs(seen[CHANNEL_1]) + abs(seen[CHANNEL_2]) + abs(seen[CHANNEL_3])
    around += 2 * abs(seen[FILTER_1]) + abs(seen[FILTER_2]) + abs(seen[FILTER_3])
    nearby = min(quantised(4 * around), 63) >> 1
    by_filter = min(quantised(2 * seen[FILTER_MEAN]) >> 1, 31)
    by_channel = min(quantised(2 * seen[CHANNEL_MEAN]) >> 1, 31)
    place = min(quantised(2 * seen[PLACE_MEAN]), 63)
    kernel = min(quantised(2 * seen[KERNEL_MEAN]) >> 2, 15)
    guess = abs(seen[GUESS])
    up = 8 * size_class(seen[UP]) + size_class(seen[UP_LEFT])
    beside = 8 * size_class(seen[CHANNEL_1]) + size_class(seen[FILTER_1])
    bases[0] = TENSOR
    bases[1] = FILTER_CHANNEL + (32 * by_filter + by_channel) * NODES
    bases[2] = KERNEL + (64 * left + up) * NODES
    bases[3] = PLACE + (16 * place + kernel) * NODES
    bases[4] = EXPECTED + (32 * (expected >> 1) + nearby) * NODES
    bases[5] = BESIDE + (64 * left + beside) * NODES
    bases[6] = PREDICTED + (64 * abs(seen[GUESS_STEPS]) + expected) * NODES
    bases[7] = PREDICTION + min(guess + 2 >> 2, 63) * NODES
    return 0


def agree(seen: I64, bases: I64, negative: Int) -> Int:
    """Split three contexts by whether the sign is that of the left neighbour, or the predicted."""
    if (seen[LEFT] < 0) == (negative > 0):
        bases[2] = bases[2] + 512 * NODES
    if (seen[GUESS] < 0) == (negative > 0):
        bases[6] = bases[6] + 1024 * NODES
        bases[7] = bases[7] + 64 * NODES
    return 0


def quantised(value: Int) -> Int:
    """Return a number ≥ 0 in steps of a quarter of an octave: 0 for 0, else 1 … 255."""
    octave = (value | 1).bit_length() - 1
    return 4 * octave + (value << 2 >> octave & 3) + min(value, 1)


def size_class(level: Int) -> Int:
    """Return 0 … 7 for magnitudes 0, 1, 2, 3–4, 5–8, 9–16, 17–32, and more."""
    magnitude = abs(level)
    return min((max(magnitude, 1) - 1).bit_length() + min(magnitude, 1), 7)
