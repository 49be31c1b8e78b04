"""Levels as versions 4 and 5 code them: how many bits the magnitude has; the sign; the other bits.

How many bits is in unary, up or down from the middle of what is expected, which takes half as many
decisions for large magnitudes as counting from zero. Where magnitudes are large, what is left after
two decisions is nearly the same in all networks, and coded plainly, as are the bits below the
highest; so a decision that takes eight contexts is taken two or three times a level.
"""

from __future__ import annotations

from gossamer.codec.mixing.contexts import choose_contexts, quantised
from gossamer.codec.mixing.decisions import code_sign, mix_magnitude
from gossamer.codec.mixing.mixer import NODES, code_plainly
from gossamer.codec.mixing.neighbours import EXPECTATION
from gossamer.codec.mixing.places import LOW_BITS, OWN
from gossamer.jit.loop import I32, I64, U8, U32, Int

FIRST, HIGHER, LOWER, SIGN, HIGH_BIT = 0, 8, 16, 24, 32
"""Nodes; the first of eight each."""
ODD = 4
"""Added to the nodes of lengths where the lowest bit is known to be 1: four of each eight."""
LARGE = 2
"""From this middle on, in bits, the third and further decisions are plain."""


def code_from_middle(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    seen: I64,
    longest: Int,
    told: Int,
    level: Int,
) -> Int:
    """Write a level, or read and return it; `told` is its lowest bit, −1 if that is not known.

    Of a level whose lowest bit is known, the others are coded: its magnitude's half, rounded down,
    and its sign, unless it is zero.
    """
    expected = min(quantised(4 * seen[EXPECTATION]), 63)
    choose_contexts(seen, bases, expected)
    half = 1 if told >= 0 else 0
    magnitude = abs(level) >> half
    length = code_length(
        data,
        state,
        tables,
        slots,
        weights,
        inputs,
        bases,
        seen,
        expected,
        longest,
        told,
        0,
        LARGE,
        magnitude.bit_length(),
    )
    if length == 0 and told < 1:
        return 0
    size = min(length + half, 8) - 1
    negative = 1 if level < 0 else 0
    negative = code_sign(
        data, state, tables, slots, weights, inputs, bases, seen, expected, SIGN, size, negative
    )
    found = min(length, 1)
    for below in range(length - 2, -1, -1):
        place = LOW_BITS + 16 * length + below
        if below == length - 2:
            place = OWN + expected * NODES + HIGH_BIT + min(below, 7)
        bit = code_plainly(data, state, tables, slots, place, magnitude >> below & 1)
        found = 2 * found + bit
    if half:
        found = 2 * found + told
    return -found if negative else found


def code_length(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    seen: I64,
    expected: Int,
    longest: Int,
    told: Int,
    least: Int,
    large: Int,
    length: Int,
) -> Int:
    """Code how many bits a magnitude has, at least `least`; `large` middles are as `LARGE`."""
    half = 1 if told >= 0 else 0
    odd = ODD if told > 0 else 0
    last = ODD - 1 if half else 7
    middle = max(min((3 * seen[EXPECTATION] >> 6 + half).bit_length(), longest - 1), least)
    found = middle
    if found >= longest:
        return found
    more = 1 if length > middle else 0
    if mix_magnitude(
        data,
        state,
        tables,
        slots,
        weights,
        inputs,
        bases,
        seen,
        expected,
        FIRST + min(middle, last) + odd,
        more,
    ):
        found += 1
        while found < longest:
            node = HIGHER + min(found, last) + odd
            mixed = middle < large or found == middle + 1
            more = 1 if length > found else 0
            if not code_step(
                data,
                state,
                tables,
                slots,
                weights,
                inputs,
                bases,
                seen,
                expected,
                node,
                mixed,
                more,
            ):
                break
            found += 1
    else:
        while found > least:
            node = LOWER + min(found - 1, last) + odd
            mixed = middle < large or found == middle
            more = 1 if length > found - 1 else 0
            if code_step(
                data,
                state,
                tables,
                slots,
                weights,
                inputs,
                bases,
                seen,
                expected,
                node,
                mixed,
                more,
            ):
                break
            found -= 1
    return found


def code_step(
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
    mixed: Int,
    bit: Int,
) -> Int:
    """Code whether a magnitude has more bits than that, by all contexts or by the expected one."""
    if mixed:
        return mix_magnitude(
            data, state, tables, slots, weights, inputs, bases, seen, expected, node, bit
        )
    return code_plainly(data, state, tables, slots, OWN + expected * NODES + node, bit)
