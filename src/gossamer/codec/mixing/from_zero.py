"""Levels as version 3 codes them: is it zero; its sign; the magnitude's bits.

How many bits the magnitude has is in unary, from one on; then follow the bits below the highest.
"""

from __future__ import annotations

from gossamer.codec.mixing.contexts import agree, choose_contexts, quantised
from gossamer.codec.mixing.decisions import code_sign, mix_magnitude
from gossamer.codec.mixing.mixer import code_plainly
from gossamer.codec.mixing.neighbours import EXPECTATION
from gossamer.codec.mixing.places import LOW_BITS
from gossamer.jit.loop import I32, I64, U8, U32, Int

ZERO, SIGN, LENGTH, HIGH_BIT = 0, 1, 2, 18
"""Nodes; of the lengths and of the bits below the highest, the first of several."""


def code_from_zero(
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
    expected = min(quantised(4 * seen[EXPECTATION]), 63)
    choose_contexts(seen, bases, expected)
    kept = 1 if level else 0
    if not mix_magnitude(
        data, state, tables, slots, weights, inputs, bases, seen, expected, ZERO, kept
    ):
        return 0
    negative = 1 if level < 0 else 0
    negative = code_sign(
        data, state, tables, slots, weights, inputs, bases, seen, expected, SIGN, 0, negative
    )
    choose_contexts(seen, bases, expected)
    agree(seen, bases, negative)
    found = code_whole_magnitude(
        data, state, tables, slots, weights, inputs, bases, seen, expected, longest, abs(level)
    )
    return -found if negative else found


def code_whole_magnitude(
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
    magnitude: Int,
) -> Int:
    """Code a magnitude ≥ 1."""
    length = 1
    while length < longest:
        node = LENGTH + length
        more = 1 if magnitude >> length else 0
        if not mix_magnitude(
            data, state, tables, slots, weights, inputs, bases, seen, expected, node, more
        ):
            break
        length += 1
    found = 1
    for below in range(length - 2, -1, -1):
        bit = magnitude >> below & 1
        if below == length - 2:
            node = HIGH_BIT + length
            bit = mix_magnitude(
                data, state, tables, slots, weights, inputs, bases, seen, expected, node, bit
            )
        else:
            bit = code_plainly(data, state, tables, slots, LOW_BITS + 16 * length + below, bit)
        found = 2 * found + bit
    return found
