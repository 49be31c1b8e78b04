"""The models of float32 values, kept bit for bit, and of the numbers that describe a tensor.

A value is coded as: is it the one before again; sign and exponent, mixed from the exponents before;
the mantissa from its highest bit, each bit by a slot of its own, which finds out whether the low
bits are always zero. Most mantissas are noise, and take as many bits as they have. From version 5
on sign, exponent and the first bits of the mantissa are also told by the trend of such floats. From
version 6 on bits that are noise in the whole list are not modelled, and long lists have a slot for
each bit of sign and exponent, unmixed: they are read four times as fast.
"""

from __future__ import annotations

from gossamer.codec.mixing.arithmetic import HIGHEST, code_decision, code_evenly
from gossamer.codec.mixing.mixer import BASES, INPUTS, code_plainly, learn, mix_decision
from gossamer.codec.mixing.places import (
    BY_BYTE,
    BYTE_NODES,
    EXPECTED_BIT,
    FLOAT_BITS,
    FLOATS,
    NUMBERS,
    PLAIN_FLOATS,
    REFINE_BITS,
    REFINE_BYTES,
)
from gossamer.codec.mixing.trend import chance, expect, follow
from gossamer.jit.loop import I32, I64, U8, U32, Int

TRENDS = BASES - 1
"""Behind the bases of a decision: whether one of them is that of the trend."""
REPEATED = FLOAT_BITS + 24 * 8
LONGEST_NUMBER = 40


def code_floats(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    values: U32,
    totals: I64,
    trend: I64,
    count: Int,
    following: Int,
    plain: Int,
    even: Int,
) -> Int:
    """Code the bits of values.

    If `following`, the trend tells them from `totals` beside them. If `plain`, signs and exponents
    are not mixed. The lowest `even` bits of mantissas, at most 20, are stored as they are.
    """
    before = 127 << 23
    older = 127 << 23
    repeated = 0
    bases[TRENDS] = following
    for i in range(count):
        value = values[i]
        if bases[TRENDS]:
            expect(trend, totals[i])
        same = code_plainly(
            data, state, tables, slots, REPEATED + repeated, 1 if value == before else 0
        )
        repeated = (2 * repeated + same) & 3
        if same:
            value = before
        else:
            high = value >> 23
            if plain:
                high = code_plain_high(data, state, tables, slots, before, older, high)
            else:
                choose_contexts(bases, before, older, i)
                high = code_high(data, state, tables, slots, weights, inputs, bases, trend, high)
            low = code_mantissa(data, state, tables, slots, bases, trend, before, high, even, value)
            value = high << 23 | low
        values[i] = value
        if bases[TRENDS]:
            follow(trend, totals[i], value)
        older = before
        before = value
    return 0


def choose_contexts(bases: I64, before: Int, older: Int, index: Int) -> Int:
    """Set where the eight contexts of sign and exponent have their slots."""
    one = exponent_class(before)
    two = exponent_class(older)
    signs = 2 * (before >> 31) + (older >> 31)
    contexts = FLOATS
    for i in range(8):
        bases[i] = contexts + 128 * BYTE_NODES * i
    bases[2] = bases[2] + one * BYTE_NODES
    bases[3] = bases[3] + two * BYTE_NODES
    bases[4] = bases[4] + max(one, two) * BYTE_NODES
    bases[5] = bases[5] + (32 * signs + min(index, 31)) * BYTE_NODES
    bases[6] = bases[6] + (one + two >> 1) * BYTE_NODES
    bases[7] = bases[7] + signs * BYTE_NODES
    return 0


def exponent_class(value: Int) -> Int:
    """Return 0 … 127 for the exponents of 2⁻⁶³ … 2⁶⁴, and the nearest for the others."""
    return min(max((value >> 23 & 255) - 64, 0), 127)


def code_high(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    trend: I64,
    value: Int,
) -> Int:
    """Code a sign, at node 0, and an exponent, whose prefixes are the nodes 1 … 255."""
    found = 0
    node = 0
    for depth in range(9):
        if bases[TRENDS]:
            # In place of a slot: what the trend says.
            bases[1] = EXPECTED_BIT - node
            likely = chance(tables, trend, 31 - depth, found)
            slots[EXPECTED_BIT] = min(max(likely, 1), 65535) << 16 | 1023
        bit = mix_decision(
            data,
            state,
            tables,
            slots,
            weights,
            inputs,
            bases,
            node,
            BY_BYTE + depth * INPUTS,
            BY_BYTE + (16 + depth) * INPUTS,
            REFINE_BYTES,
            REFINE_BITS + depth * 33,
            value >> 8 - depth & 1,
        )
        node = 2 * node + bit if depth else 1
        found = 2 * found + bit
    return found


def code_plain_high(
    data: U8, state: I64, tables: I32, slots: U32, before: Int, older: Int, value: Int
) -> Int:
    """Code a sign and an exponent by the slots of one context."""
    base = PLAIN_FLOATS + (exponent_class(before) + exponent_class(older) >> 1) * BYTE_NODES
    sign = code_plainly(data, state, tables, slots, base, value >> 8)
    node = 1
    for depth in range(8):
        bit = value >> 7 - depth & 1
        node = 2 * node + code_plainly(data, state, tables, slots, base + node, bit)
    return sign << 8 | node & 255


def code_mantissa(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    bases: I64,
    trend: I64,
    before: Int,
    high: Int,
    even: Int,
    value: Int,
) -> Int:
    """Code 23 bits, from the highest; the first three may be told by the trend, too."""
    found = 0
    for place in range(22, even - 1, -1):
        slot = FLOAT_BITS + 8 * place
        if before & (2 << place) - 1 == 0:
            slot += 4
        if place >= 20:
            slot += found & 3
        bit = value >> place & 1
        if place >= 20 and bases[TRENDS]:
            likely = 3 * chance(tables, trend, place, high << 22 - place | found)
            likely = likely + (slots[slot] >> 16) >> 2
            likely = min(max(likely, 65536 - HIGHEST), HIGHEST)
            bit = code_decision(data, state, tables, likely, bit)
            learn(slots, tables, slot, bit)
        else:
            bit = code_plainly(data, state, tables, slots, slot, bit)
        found = 2 * found + bit
    while even:
        bits = min(even, 10)
        even -= bits
        found = found << bits | code_evenly(data, state, bits, value >> even & (1 << bits) - 1)
    return found


def code_number(data: U8, state: I64, tables: I32, slots: U32, context: Int, value: Int) -> Int:
    """Code a number ≥ 0, less than 2⁴⁰: the bits of number + 1 in unary, then those bits."""
    value += 1
    first = NUMBERS + 128 * context
    length = 1
    while length < LONGEST_NUMBER:
        more = 1 if value >> length else 0
        if not code_plainly(data, state, tables, slots, first + length, more):
            break
        length += 1
    found = 1
    for below in range(length - 2, -1, -1):
        top = length if below == length - 2 else 0
        place = first + 64 + top
        found = 2 * found + code_plainly(data, state, tables, slots, place, value >> below & 1)
    return found - 1
