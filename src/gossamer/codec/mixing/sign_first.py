"""Levels from version 6 on: is it zero; its sign; how many bits the magnitude has; the other bits.

How many bits is in unary, up or down from the middle of what is expected. The bit below the highest
is mixed, too: close to zero, or to where pruning cut, the density of magnitudes falls within an
octave by as much as between two. Where magnitudes are large hardly a level is zero, and whether one
is takes a single slot.
"""

from __future__ import annotations

from gossamer.codec.mixing.contexts import agree, choose_contexts, quantised
from gossamer.codec.mixing.decisions import code_sign, mix_magnitude
from gossamer.codec.mixing.from_middle import FIRST, HIGH_BIT, SIGN, code_length, code_step
from gossamer.codec.mixing.mixer import CONTEXTS, KEPT, code_plainly
from gossamer.codec.mixing.neighbours import EXPECTATION
from gossamer.codec.mixing.places import LOW_BITS
from gossamer.jit.loop import I32, I64, U8, U32, Int

LARGE = 4
"""From this middle on, in bits, the third and further decisions of a length are plain."""
RARELY_ZERO = 12
"""From this expected magnitude on, whether a level is zero is plain."""


def code_sign_first(
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
    if told < 1:
        mixed = 3 * seen[EXPECTATION] >> 6 + half < RARELY_ZERO
        kept = 1 if level else 0
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
            FIRST,
            mixed,
            kept,
        ):
            return 0
    for i in range(CONTEXTS):
        bases[KEPT + i] = bases[i]
    size = told + 1
    negative = 1 if level < 0 else 0
    negative = code_sign(
        data, state, tables, slots, weights, inputs, bases, seen, expected, SIGN, size, negative
    )
    for i in range(CONTEXTS):
        bases[i] = bases[KEPT + i]
    agree(seen, bases, negative)
    found = code_magnitude(
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
        abs(level) >> half,
    )
    if half:
        found = 2 * found + told
    return -found if negative else found


def code_magnitude(
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
    magnitude: Int,
) -> Int:
    """Code a magnitude, or the half of one, that is zero only where it is the half of one."""
    least = 0 if told > 0 else 1
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
        least,
        LARGE,
        magnitude.bit_length(),
    )
    found = min(length, 1)
    for below in range(length - 2, -1, -1):
        bit = magnitude >> below & 1
        if below == length - 2:
            node = HIGH_BIT + min(below, 7)
            bit = mix_magnitude(
                data, state, tables, slots, weights, inputs, bases, seen, expected, node, bit
            )
        else:
            bit = code_plainly(data, state, tables, slots, LOW_BITS + 16 * length + below, bit)
        found = 2 * found + bit
    return found
