"""A binary arithmetic coder (after Martin 1979), one function for both directions.

The bytes written are a number in [0, 1); the coder holds an interval, 32 bits of it at a time, and
each decision keeps the part of the interval that is its probability. What is carried goes straight
into the bytes that are written already.

Everything that a coder must remember lies in one array `state`; see the names below.
"""

from __future__ import annotations

from gossamer.codec.mixing.tables import COST
from gossamer.jit.loop import I32, I64, U8, Int

LOW = 0
"""Lower end of the interval while writing; how far above it the bytes lie while reading."""
RANGE = 1
"""Width of the interval, 2²⁴ … 2³² − 1."""
POSITION = 2
"""Of the next byte."""
END = 3
"""How many bytes there are to read; at least four zeros follow them in memory."""
WRITING = 4
"""1 to write, 0 to read."""
SPENT = 5
"""The sum of −log₂ of the probabilities so far, in 1/4096 bit."""
FIRST_FREE = 8

HIGHEST = 65536 - 24
"""Of a probability; the lowest is 24."""


def code_decision(data: U8, state: I64, tables: I32, probability: Int, bit: Int) -> Int:
    """Write a bit, or read and return it, that is 1 with a probability in 1/65536."""
    width = state[RANGE]
    part = width * probability >> 16
    if state[WRITING]:
        if not bit:
            state[LOW] = state[LOW] + part
            if state[LOW] >> 32:
                carry(data, state)
    elif state[LOW] < part:
        bit = 1
    else:
        bit = 0
        state[LOW] = state[LOW] - part
    width = part if bit else width - part
    state[RANGE] = renormalised(data, state, width)
    likely = probability if bit else 65536 - probability
    state[SPENT] = state[SPENT] + tables[COST + (likely >> 4)]
    return bit


def code_evenly(data: U8, state: I64, bits: Int, value: Int) -> Int:
    """Write a number of 1 … 16 bits, or read and return it, each as likely as any other."""
    width = state[RANGE] >> bits
    if state[WRITING]:
        state[LOW] = state[LOW] + value * width
        if state[LOW] >> 32:
            carry(data, state)
    else:
        # Bytes that nobody wrote may lie above the last number: what follows needs LOW < RANGE.
        value = min(state[LOW] // width, (1 << bits) - 1)
        state[LOW] = min(state[LOW] - value * width, width - 1)
    state[RANGE] = renormalised(data, state, width)
    state[SPENT] = state[SPENT] + (bits << 12)
    return value


def renormalised(data: U8, state: I64, width: Int) -> Int:
    """Write or read bytes until a width has 25 bits again, and return it."""
    if state[WRITING]:
        while width >> 24 == 0:
            width <<= 8
            put_byte(data, state)
        return width
    return take_bytes(data, state, width)


def carry(data: U8, state: I64) -> Int:
    """Add one to what is written."""
    state[LOW] = state[LOW] & 0xFFFFFFFF
    at = state[POSITION] - 1
    while data[at] == 255:
        data[at] = 0
        at -= 1
    data[at] = data[at] + 1
    return 0


def put_byte(data: U8, state: I64) -> Int:
    """Write the highest byte of the interval."""
    at = state[POSITION]
    state[POSITION] = at + 1
    data[at] = state[LOW] >> 24
    state[LOW] = (state[LOW] << 8) & 0xFFFFFFFF
    return 0


def take_bytes(data: U8, state: I64, width: Int) -> Int:
    """Read as many bytes as a width lacks, and return it filled up.

    Without a branch: whether a byte is due is as good as random.
    """
    bits = 32 - (width.bit_length() + 7 & 56)
    at = min(state[POSITION], state[END])
    more = data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
    state[LOW] = state[LOW] << bits | more >> 32 - bits
    state[POSITION] = state[POSITION] + (bits >> 3)
    return width << bits
