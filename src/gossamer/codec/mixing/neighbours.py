"""What is known when a level is coded: neighbours, means so far, and a prediction.

Levels are the integers of a weight tensor, most of them zero, as (filter, channel, tap). Known are
the levels before it in the same kernel, at the same tap of earlier channels and of earlier filters;
the mean magnitudes so far of its filter, its channel, its place in the filter, its tap and the
tensor; and a prediction of the level itself: a weighted sum of neighbours, those of its kernel
among them, whose weights learn as they go (normalised least mean squares).
"""

from __future__ import annotations

from gossamer.jit.loop import I16, I32, I64, Int

# Entries of `seen`, what is known when a level is coded; the first sixteen predict it.
FEATURES = 16
TENSOR_SUM, TENSOR_COUNT, FILTER_SUM, KERNEL_SUM = range(16, 20)
TENSOR_MEAN, FILTER_MEAN, CHANNEL_MEAN, KERNEL_MEAN, PLACE_MEAN, EXPECTATION = range(20, 26)
GUESS, GUESS_STEPS, TAP, TAP_INVERSE, SIGN_INVERSE, POWER = range(26, 32)
LEFT, UP, UP_LEFT, UP_RIGHT, BEFORE, CHANNEL_1, CHANNEL_2, FILTER_1, FILTER_2 = range(32, 41)
CHANNEL_3, CHANNEL_4, FILTER_3, MEAN, VERSION = range(41, 46)
SEEN = 48
BACK = 8
"""How many levels before it in its kernel predict a level."""


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
    if seen[VERSION] > 4:
        for back in range(BACK):
            seen[back] = levels[at - 1 - back] if t > back else 0
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
    choose_features(seen)
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


def choose_features(seen: I64) -> Int:
    """Set what predicts a level besides those before it in its kernel; the rest stays 0."""
    if seen[VERSION] > 4:
        seen[BACK] = seen[CHANNEL_1]
        seen[BACK + 1] = seen[CHANNEL_2]
        seen[BACK + 2] = seen[FILTER_1]
        seen[BACK + 3] = seen[FILTER_2]
        seen[BACK + 4] = seen[MEAN]
    else:
        for i in range(9):
            seen[i] = seen[LEFT + i]
        seen[9] = seen[MEAN]
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
