"""One binary decision: predictions of several contexts, mixed, refined, coded, and learnt from.

A *slot* is a probability of 22 bits that moves towards what it sees, and how often it was used.
Each of eight contexts names one slot. Their stretches, and how far they lie from one half, are
weighted (logistic mixing: Mahoney 2005) by two sets of weights, which other contexts select; the
mean of both, in the stretched domain, is refined by small tables of what such a mean turned out to
be: one, or, where the state says so, two that different contexts select.
"""

from __future__ import annotations

from gossamer.codec.mixing.arithmetic import FIRST_FREE, HIGHEST, code_decision
from gossamer.codec.mixing.tables import PACE, SQUASH, STRETCH, TRUST_BITS
from gossamer.jit.loop import I32, I64, U8, U32, Int

CONTEXTS = 8
INPUTS = 16
NODES = 40
"""Decisions that share a context: each has its own slots."""
FRESH = 1 << 31
"""A slot that knows nothing: probability one half, never used."""
HELD, PACES = 8, 24
"""Behind the bases, the eight slots of a decision; behind its inputs, their paces."""
KEPT = 16
"""Behind those slots: bases of decisions that will go on after another one."""
BASES, SCRATCH = 25, 32
"""Numbers that a decision needs in memory: bases and slots; inputs, an error and paces."""
START_WEIGHT = 65536 * 3 // 25
"""Of a stretch; distances from one half start at weight 0."""
LEARNING, MOST_USES, TWICE = FIRST_FREE, FIRST_FREE + 1, FIRST_FREE + 2
"""In the state: how fast weights learn, how many uses the slots of contexts count, and 1 if the
mean is refined by two tables, 0 if by one."""
_MOST_USES = 1023


def mix_decision(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    node: Int,
    first: Int,
    second: Int,
    refine: Int,
    refine_too: Int,
    bit: Int,
) -> Int:
    """Code one bit. `bases`, `first` … `refine_too` are places in slots and weights."""
    for i in range(CONTEXTS):
        slot = slots[bases[i] + node]
        bases[HELD + i] = slot
        pace = tables[PACE + (slot & 1023)]
        inputs[PACES + i] = pace
        trust = pace & (1 << TRUST_BITS) - 1
        inputs[i] = tables[STRETCH + (slot >> 20)] * trust >> 8
        inputs[CONTEXTS + i] = ((slot >> 16) - 32768 >> 5) * trust >> 8
    one = dot(weights, first, inputs)
    two = dot(weights, second, inputs)
    mean = one + two >> 1
    place = (mean + 2048) * 32
    weight = place & 4095
    place >>= 12
    probability = tables[SQUASH + mean + 2047] * 2 + refined(slots, refine + place, weight)
    if state[TWICE]:
        probability += refined(slots, refine_too + place, weight)
    else:
        probability += tables[SQUASH + mean + 2047]
    probability = min(max(probability >> 2, 65536 - HIGHEST), HIGHEST)
    bit = code_decision(data, state, tables, probability, bit)
    place += weight >> 11
    learn(slots, tables, refine + place, bit)
    if state[TWICE]:
        learn(slots, tables, refine_too + place, bit)
    pace = state[LEARNING]
    adjust(weights, first, inputs, ((bit << 16) - tables[SQUASH + one + 2047]) * pace)
    adjust(weights, second, inputs, ((bit << 16) - tables[SQUASH + two + 2047]) * pace)
    learn_held(slots, inputs, bases, node, state[MOST_USES], bit)
    return bit


def refined(slots: U32, place: Int, weight: Int) -> Int:
    """Return the probability between two refining slots, the second of a weight in 1/4096."""
    return ((slots[place] >> 16) * (4096 - weight) + (slots[place + 1] >> 16) * weight) >> 12


def code_plainly(data: U8, state: I64, tables: I32, slots: U32, place: Int, bit: Int) -> Int:
    """Code one bit by one slot alone."""
    probability = min(max(slots[place] >> 16, 65536 - HIGHEST), HIGHEST)
    bit = code_decision(data, state, tables, probability, bit)
    learn(slots, tables, place, bit)
    return bit


def learn(slots: U32, tables: I32, place: Int, bit: Int) -> Int:
    """Move a slot towards a bit, the less the more it has seen."""
    slot = slots[place]
    uses = slot & 1023
    probability = slot >> 10
    probability += ((bit << 22) - probability) * (tables[PACE + uses] >> TRUST_BITS) >> 16
    probability = min(max(probability, 64), (1 << 22) - 64)
    slots[place] = probability << 10 | (uses + 1 if uses < _MOST_USES else uses)
    return 0


def learn_held(slots: U32, inputs: I32, bases: I64, node: Int, most: Int, bit: Int) -> Int:
    """Do what `learn` does to the eight slots of a decision, side by side."""
    aim = bit << 22
    for i in range(CONTEXTS):
        slot = bases[HELD + i]
        uses = slot & 1023
        probability = slot >> 10
        probability += (aim - probability) * (inputs[PACES + i] >> TRUST_BITS) >> 16
        probability = min(max(probability, 64), (1 << 22) - 64)
        bases[HELD + i] = probability << 10 | min(uses + 1, most)
    for i in range(CONTEXTS):
        slots[bases[i] + node] = bases[HELD + i]
    return 0


def dot(weights: I32, start: Int, inputs: I32) -> Int:
    """Return the weighted sum of the inputs, as a stretch."""
    total = 0
    for i in range(INPUTS):
        total += weights[start + i] * inputs[i]
    return min(max(total >> 16, -2047), 2047)


def adjust(weights: I32, start: Int, inputs: I32, error: Int) -> Int:
    """Move weights so that the same inputs would come closer to what happened."""
    # Through memory of 32 bits, so that LLVM knows that products of 32 bits by 32 are enough.
    inputs[INPUTS] = error >> 10
    error = inputs[INPUTS]
    for i in range(INPUTS):
        weights[start + i] = weights[start + i] + (inputs[i] * error + 8192 >> 14)
    return 0
