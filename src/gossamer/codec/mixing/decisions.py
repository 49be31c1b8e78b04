"""The two kinds of decisions of a level, with what they are mixed by: its magnitude, its sign."""

from __future__ import annotations

from gossamer.codec.mixing.contexts import size_class
from gossamer.codec.mixing.mixer import INPUTS, NODES, mix_decision
from gossamer.codec.mixing.neighbours import (
    CHANNEL_1,
    CHANNEL_2,
    CHANNEL_3,
    CHANNEL_4,
    FILTER_1,
    FILTER_2,
    FILTER_3,
    GUESS_STEPS,
    LEFT,
    TAP,
    TENSOR_MEAN,
    UP,
    UP_LEFT,
    UP_RIGHT,
)
from gossamer.codec.mixing.places import (
    BESIDE,
    BY_EXPECTED,
    BY_TAP,
    EXPECTED,
    FILTER_CHANNEL,
    KERNEL,
    PLACE,
    PREDICTED,
    PREDICTION,
    REFINE,
    REFINE_TOO,
    TENSOR,
)
from gossamer.jit.loop import I32, I64, U8, U32, Int


def mix_magnitude(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    seen: I64,
    expected: Int,
    node: Int,
    bit: Int,
) -> Int:
    """Code one bit about a magnitude; its contexts are chosen already."""
    by_expected = BY_EXPECTED + ((expected >> 1) * NODES + node) * INPUTS
    by_tap = BY_TAP + (min(seen[TAP], 9) * NODES + node) * INPUTS
    refine = REFINE + node * 33
    too = REFINE_TOO + ((expected >> 2) * NODES + node) * 33
    return mix_decision(
        data,
        state,
        tables,
        slots,
        weights,
        inputs,
        bases,
        node,
        by_expected,
        by_tap,
        refine,
        too,
        bit,
    )


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
    node: Int,
    size: Int,
    negative: Int,
) -> Int:
    """Code a sign, 1 for negative, of a magnitude of which `size` 0 … 7 is known."""
    guess = seen[GUESS_STEPS] + 16
    scale = max(seen[TENSOR_MEAN], 1)
    four = seen[CHANNEL_1] + seen[CHANNEL_2] + seen[CHANNEL_3] + seen[CHANNEL_4]
    slope = 2 * (seen[LEFT] + seen[UP]) - seen[UP_LEFT]
    filters = 9 * sign(seen[FILTER_1]) + 3 * sign(seen[FILTER_2]) + sign(seen[FILTER_3])
    kernel = 27 * sign(seen[LEFT]) + 9 * sign(seen[UP]) + 3 * sign(seen[UP_LEFT])
    bases[0] = TENSOR + size
    bases[1] = FILTER_CHANNEL + (kernel + sign(seen[UP_RIGHT])) * NODES
    bases[2] = KERNEL + filters * NODES
    bases[3] = PLACE + (3 * size_class(seen[FILTER_1]) + sign(seen[FILTER_1])) * NODES
    bases[4] = EXPECTED + (min(max(slope, -15), 15) + 16) * NODES
    bases[5] = BESIDE + (min(max(8 * four // scale, -15), 15) + 16) * NODES
    bases[6] = PREDICTED + (8 * guess + size) * NODES
    bases[7] = PREDICTION + (32 * guess + (expected >> 1)) * NODES
    by_tap = BY_EXPECTED + (min(seen[TAP], 9) * NODES + node) * INPUTS
    by_left = BY_TAP + (size_class(seen[LEFT]) * NODES + node) * INPUTS
    refine = REFINE + node * 33
    too = REFINE_TOO + ((guess >> 1) * NODES + node) * 33
    return mix_decision(
        data,
        state,
        tables,
        slots,
        weights,
        inputs,
        bases,
        node,
        by_tap,
        by_left,
        refine,
        too,
        negative,
    )


def sign(level: Int) -> Int:
    """Return 0, 1, 2 for zero, negative, positive."""
    if level == 0:
        return 0
    return 1 if level < 0 else 2
