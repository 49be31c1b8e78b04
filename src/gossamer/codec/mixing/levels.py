"""The model of levels: integers of a weight tensor, most of them zero, as (filter, channel, tap).

A level is coded as: is it zero; its sign; the number of bits of its magnitude, in unary; the bits
below the highest. What is known when a level is coded: the levels before it in the same kernel, at
the same tap of earlier channels and of earlier filters; the mean magnitudes so far of its filter,
its channel, its place in the filter, its tap and the tensor; and a prediction of the level itself:
a weighted sum of ten neighbours whose weights learn as they go (normalised least mean squares).
"""

from __future__ import annotations

from gossamer.codec.mixing.mixer import INPUTS, NODES, code_plainly, mix_decision
from gossamer.codec.mixing.places import (
    BESIDE,
    BY_EXPECTED,
    BY_TAP,
    EXPECTED,
    FILTER_CHANNEL,
    KERNEL,
    LOW_BITS,
    PLACE,
    PREDICTED,
    PREDICTION,
    REFINE,
    TENSOR,
)
from gossamer.jit.loop import I16, I32, I64, U8, U32, Int

# Entries of `seen`, what is known when a level is coded.
LEFT, UP, UP_LEFT, UP_RIGHT, BEFORE, CHANNEL_1, CHANNEL_2, FILTER_1, FILTER_2, MEAN = range(10)
CHANNEL_3, CHANNEL_4, FILTER_3 = range(10, 13)
TENSOR_SUM, TENSOR_COUNT, FILTER_SUM, KERNEL_SUM = range(16, 20)
TENSOR_MEAN, FILTER_MEAN, CHANNEL_MEAN, KERNEL_MEAN, PLACE_MEAN, EXPECTATION = range(20, 26)
GUESS, GUESS_STEPS, TAP, TAP_INVERSE, SIGN_INVERSE, POWER = range(26, 32)
SEEN = 32
FEATURES = 10

ZERO, SIGN, LENGTH, HIGH_BIT = 0, 1, 2, 18
"""Nodes; of the lengths and of the bits below the highest, the first of several."""
LONGEST = 15
"""Of a magnitude, in bits."""


def code_filters(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    levels: I16,
    seen: I64,
    sums: I64,
    channels: Int,
    taps: Int,
    row: Int,
    first: Int,
    last: Int,
    longest: Int,
) -> Int:
    """Code the filters first … last − 1 of a tensor (K, channels, taps), kernels of `row` columns.

    `sums` has, zero before the first filter: the magnitudes so far of each channel (channels), of
    each place (channels · taps), the levels so far of each place (as many), the magnitudes of each
    tap (taps), the mean of each tap against the tensor's in 1/256 (taps), and the weights of the
    prediction (10 · taps).
    """
    for k in range(first, last):
        begin_filter(seen, sums, channels, taps, k)
        for c in range(channels):
            begin_kernel(seen, sums, channels, taps, k, c)
            for t in range(taps):
                at = (k * channels + c) * taps + t
                look(seen, levels, channels, taps, row, k, c, t)
                estimate(seen, sums, tables, channels, taps, k, c, t)
                level = code_level(
                    data, state, tables, slots, weights, inputs, bases, seen, longest, levels[at]
                )
                levels[at] = level
                remember(seen, sums, channels, taps, c, t, level)
            sums[c] = sums[c] + seen[KERNEL_SUM]
    return 0


def begin_filter(seen: I64, sums: I64, channels: Int, taps: Int, k: Int) -> Int:
    """Start a filter: what is constant in it is computed once."""
    seen[FILTER_SUM] = 0
    seen[SIGN_INVERSE] = 65536 // (k + 2)
    seen[TAP_INVERSE] = 65536 // (k + 3)
    mean = mean_of(seen[TENSOR_SUM], seen[TENSOR_COUNT], 128, 8)
    tap_sums = channels + 2 * channels * taps
    for t in range(taps):
        tap = mean_of(sums[tap_sums + t], k * channels, 8 * mean, 8)
        sums[tap_sums + taps + t] = min(tap * 256 // max(mean, 1), 65536)
    return 0


def begin_kernel(seen: I64, sums: I64, channels: Int, taps: Int, k: Int, c: Int) -> Int:
    """Start a kernel: means of the tensor, the filter and the channel, in 1/16."""
    mean = mean_of(seen[TENSOR_SUM], seen[TENSOR_COUNT], 128, 8)
    seen[TENSOR_MEAN] = mean
    seen[FILTER_MEAN] = mean_of(seen[FILTER_SUM], c * taps, 6 * mean, 6)
    seen[CHANNEL_MEAN] = mean_of(sums[c], k * taps, 6 * mean, 6)
    seen[KERNEL_SUM] = 0
    return 0


def mean_of(total: Int, count: Int, prior: Int, weight: Int) -> Int:
    """Return the mean in 1/16, drawn towards prior / weight as if that had been seen before."""
    return (16 * total + prior) // (count + weight)


def look(seen: I64, levels: I16, channels: Int, taps: Int, row: Int, k: Int, c: Int, t: Int) -> Int:
    """Collect the neighbours that are known; those outside the tensor are 0."""
    at = (k * channels + c) * taps + t
    size = channels * taps
    inside = t % row
    above = t >= row
    seen[TAP] = t
    seen[LEFT] = levels[at - 1] if inside > 0 else 0
    seen[UP] = levels[at - row] if above else 0
    seen[UP_LEFT] = levels[at - row - 1] if above and inside > 0 else 0
    seen[UP_RIGHT] = levels[at - row + 1] if above and inside < row - 1 else 0
    seen[BEFORE] = levels[at - 2] if t > 1 else 0
    seen[CHANNEL_1] = levels[at - taps] if c > 0 else 0
    seen[CHANNEL_2] = levels[at - 2 * taps] if c > 1 else 0
    seen[CHANNEL_3] = levels[at - 3 * taps] if c > 2 else 0
    seen[CHANNEL_4] = levels[at - 4 * taps] if c > 3 else 0
    seen[FILTER_1] = levels[at - size] if k > 0 else 0
    seen[FILTER_2] = levels[at - 2 * size] if k > 1 else 0
    seen[FILTER_3] = levels[at - 3 * size] if k > 2 else 0
    return 0


def estimate(
    seen: I64, sums: I64, tables: I32, channels: Int, taps: Int, k: Int, c: Int, t: Int
) -> Int:
    """Estimate the magnitude and the level itself, both in 1/16."""
    place = channels + c * taps + t
    mean = seen[TENSOR_MEAN]
    seen[PLACE_MEAN] = (16 * sums[place] + 3 * mean) * seen[TAP_INVERSE] >> 16
    seen[KERNEL_MEAN] = mean_of(seen[KERNEL_SUM], t, 2 * mean, 2)
    channel = mean_of(sums[c] + seen[KERNEL_SUM], k * taps + t, 6 * mean, 6)
    seen[CHANNEL_MEAN] = channel
    tap = sums[channels + 2 * channels * taps + taps + t]
    expected = seen[FILTER_MEAN] * channel // max(mean, 1) * tap >> 8
    seen[EXPECTATION] = expected
    seen[MEAN] = sums[place + channels * taps] * seen[SIGN_INVERSE] >> 16
    predictor = channels + 2 * channels * taps + 2 * taps + FEATURES * t
    total = 0
    power = 0
    for i in range(FEATURES):
        total += sums[predictor + i] * seen[i]
        power += seen[i] * seen[i]
    guess = min(max(total >> 12, -(1 << 19)), 1 << 19)
    seen[GUESS] = guess
    seen[POWER] = power
    scale = max(expected, 16)
    seen[GUESS_STEPS] = min(max((12 * guess + (scale >> 1)) // scale, -15), 15)
    return 0


def remember(seen: I64, sums: I64, channels: Int, taps: Int, c: Int, t: Int, level: Int) -> Int:
    """Add a level to the sums, and let the prediction learn from it."""
    magnitude = abs(level)
    place = channels + c * taps + t
    seen[TENSOR_COUNT] = seen[TENSOR_COUNT] + 1
    if magnitude:
        seen[TENSOR_SUM] = seen[TENSOR_SUM] + magnitude
        seen[FILTER_SUM] = seen[FILTER_SUM] + magnitude
        seen[KERNEL_SUM] = seen[KERNEL_SUM] + magnitude
        sums[place] = sums[place] + magnitude
        place += channels * taps
        sums[place] = sums[place] + level
        place = channels + 2 * channels * taps + t
        sums[place] = sums[place] + magnitude
    if seen[POWER]:
        scale = max(seen[EXPECTATION], 16)
        error = 16 * level - seen[GUESS]
        step = (error << 16) // (50 * ((scale * scale >> 6) + seen[POWER]))
        predictor = channels + 2 * channels * taps + 2 * taps + FEATURES * t
        for i in range(FEATURES):
            moved = sums[predictor + i] + (step * seen[i] >> 4)
            sums[predictor + i] = min(max(moved, -(1 << 20)), 1 << 20)
    return 0


def code_level(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    seen: I64,
    longest: Int,
    level: Int,
) -> Int:
    """Write a level, or read and return it."""
    tap = min(seen[TAP], 9)
    expected = min(quantised(4 * seen[EXPECTATION]), 63)
    by_expected = BY_EXPECTED + (expected >> 1) * NODES * INPUTS
    by_tap = BY_TAP + tap * NODES * INPUTS
    choose_contexts(seen, bases, expected)
    if not mix_decision(
        data,
        state,
        tables,
        slots,
        weights,
        inputs,
        bases,
        ZERO,
        by_expected,
        by_tap,
        REFINE,
        1 if level else 0,
    ):
        return 0
    by_expected += SIGN * INPUTS
    negative = code_sign(
        data, state, tables, slots, weights, inputs, bases, seen, expected, 1 if level < 0 else 0
    )
    choose_contexts(seen, bases, expected)
    agree(seen, bases, negative)
    magnitude = abs(level)
    length = 1
    while length < longest:
        node = LENGTH + length
        more = mix_decision(
            data,
            state,
            tables,
            slots,
            weights,
            inputs,
            bases,
            node,
            BY_EXPECTED + ((expected >> 1) * NODES + node) * INPUTS,
            by_tap + node * INPUTS,
            REFINE + node * 33,
            1 if magnitude >> length else 0,
        )
        if not more:
            break
        length += 1
    found = 1
    for below in range(length - 2, -1, -1):
        bit = magnitude >> below & 1
        if below == length - 2:
            node = HIGH_BIT + length
            bit = mix_decision(
                data,
                state,
                tables,
                slots,
                weights,
                inputs,
                bases,
                node,
                BY_EXPECTED + ((expected >> 1) * NODES + node) * INPUTS,
                by_tap + node * INPUTS,
                REFINE + node * 33,
                bit,
            )
        else:
            bit = code_plainly(data, state, tables, slots, LOW_BITS + 16 * length + below, bit)
        found = 2 * found + bit
    return -found if negative else found


def code_sign(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    seen: I64,
    expected: Int,
    negative: Int,
) -> Int:
    """Write a sign, or read and return it: 1 for negative."""
    guess = seen[GUESS_STEPS] + 16
    scale = max(seen[TENSOR_MEAN], 1)
    four = seen[CHANNEL_1] + seen[CHANNEL_2] + seen[CHANNEL_3] + seen[CHANNEL_4]
    slope = 2 * (seen[LEFT] + seen[UP]) - seen[UP_LEFT]
    filters = 9 * sign(seen[FILTER_1]) + 3 * sign(seen[FILTER_2]) + sign(seen[FILTER_3])
    kernel = 27 * sign(seen[LEFT]) + 9 * sign(seen[UP]) + 3 * sign(seen[UP_LEFT])
    bases[0] = TENSOR
    bases[1] = FILTER_CHANNEL + (kernel + sign(seen[UP_RIGHT])) * NODES
    bases[2] = KERNEL + filters * NODES
    bases[3] = PLACE + (3 * size_class(seen[FILTER_1]) + sign(seen[FILTER_1])) * NODES
    bases[4] = EXPECTED + (min(max(slope, -15), 15) + 16) * NODES
    bases[5] = BESIDE + (min(max(8 * four // scale, -15), 15) + 16) * NODES
    bases[6] = PREDICTED + guess * NODES
    bases[7] = PREDICTION + (32 * guess + (expected >> 1)) * NODES
    by_tap = BY_EXPECTED + (min(seen[TAP], 9) * NODES + SIGN) * INPUTS
    by_left = BY_TAP + (size_class(seen[LEFT]) * NODES + SIGN) * INPUTS
    return mix_decision(
        data,
        state,
        tables,
        slots,
        weights,
        inputs,
        bases,
        SIGN,
        by_tap,
        by_left,
        REFINE + SIGN * 33,
        negative,
    )


def choose_contexts(seen: I64, bases: I64, expected: Int) -> Int:
    """Set where the eight contexts of zero and magnitude have their slots."""
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
    if value <= 0:
        return 0
    octave = value.bit_length() - 1
    fraction = value >> octave - 2 if octave >= 2 else value << 2 - octave
    return 1 + 4 * octave + (fraction & 3)


def size_class(level: Int) -> Int:
    """Return 0 … 7 for magnitudes 0, 1, 2, 3–4, 5–8, 9–16, 17–32, and more."""
    magnitude = abs(level)
    if magnitude < 3:
        return magnitude
    return min((magnitude - 1).bit_length() + 1, 7)


def sign(level: Int) -> Int:
    """Return 0, 1, 2 for zero, negative, positive."""
    if level == 0:
        return 0
    return 1 if level < 0 else 2
