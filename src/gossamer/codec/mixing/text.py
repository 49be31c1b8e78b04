"""The model of a text: each bit of a byte is mixed from what followed the same bytes before.

Six contexts are the last bytes or words, as in the PAQ family (Mahoney 2005); one is the byte that
followed the longest earlier occurrence of what came last; one is the byte at the same place in the
name given last, for names resemble each other. A text begins with zeros, which are not coded, and
with another text that the model has read; so it knows the words when it begins.
"""

from __future__ import annotations

from gossamer.codec.mixing.mixer import INPUTS, mix_decision
from gossamer.jit.loop import I32, I64, U8, U32, Int

AHEAD = 48
"""Zeros before a text."""
SLOT_BITS = 15
"""Of each context, how many slots there are, as a power of two."""
CONTEXT_SLOTS = 8 << SLOT_BITS
MATCHES = 1 << 12
"""Places remembered by what came before them."""
REFINE = CONTEXT_SLOTS
SLOTS = REFINE + 24 * 33
WEIGHTS = (16 + 256) * INPUTS
HELD = 16
"""What is known between two bytes: see the names below; eight hashes follow."""
MATCH, LENGTH, STRING, NAME, WORD, BEFORE, TAIL = range(7)
HASHES = 8
_MULTIPLIER = 0x2545F491
_QUOTE, _COLON, _E = 34, 58, 101
_LONGEST = 40


def code_text(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    text: U8,
    places: I32,
    held: I64,
    start: Int,
    end: Int,
) -> Int:
    """Code the bytes start … end − 1 of a text; those before are known."""
    for at in range(start, end):
        choose_contexts(text, held, at)
        text[at] = code_byte(data, state, tables, slots, weights, inputs, bases, text, held, at)
        remember(text, places, held, at)
    return 0


def choose_contexts(text: U8, held: I64, at: Int) -> Int:
    """Hash what stands before a byte, for each context but that of the match."""
    found = 0
    for back in range(1, 7):
        found = mixed(found, text[at - back] + 1)
        if back < 5:
            held[HASHES + back - 1] = found
    held[HASHES + 4] = found
    held[HASHES + 5] = mixed(held[WORD], held[BEFORE])
    above = mixed(held[TAIL], held[HASHES + 2])
    if held[STRING] and text[held[STRING] - 4] == _E:
        place = held[NAME] + at - held[STRING]
        above = mixed(mixed(text[place] + 1, text[place + 1]), text[at - 1])
    held[HASHES + 7] = above
    return 0


def mixed(found: Int, value: Int) -> Int:
    """Return a hash of a hash and one more number, of 32 bits."""
    found = (found + value + 1) * _MULTIPLIER & 0xFFFFFFFF
    return found ^ found >> 15


def code_byte(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    text: U8,
    held: I64,
    at: Int,
) -> Int:
    """Code a byte, from its highest bit."""
    value = text[at]
    expected = text[held[MATCH]] + 256 if held[LENGTH] else 0
    length = min(held[LENGTH], 15) if held[LENGTH] < 16 else min(12 + (held[LENGTH] >> 4), 15)
    found = 1
    for place in range(7, -1, -1):
        agrees = length if expected >> place + 1 == found else 0
        following = 2 * agrees + (expected >> place & 1) if agrees else 0
        held[HASHES + 6] = following
        for i in range(8):
            slot = mixed(held[HASHES + i], found) & (1 << SLOT_BITS) - 1
            bases[i] = (i << SLOT_BITS) + slot
        found = 2 * found + mix_decision(
            data,
            state,
            tables,
            slots,
            weights,
            inputs,
            bases,
            0,
            agrees * INPUTS,
            (16 + found) * INPUTS,
            REFINE + agrees * 33,
            REFINE + (16 + place) * 33,
            value >> place & 1,
        )
    return found - 256


def remember(text: U8, places: I32, held: I64, at: Int) -> Int:
    """Note where a byte stands: for matches, for the word and the string that it is in."""
    byte = text[at]
    if held[LENGTH] and text[held[MATCH]] == byte:
        held[MATCH] = held[MATCH] + 1
        held[LENGTH] = min(held[LENGTH] + 1, 63)
    else:
        held[LENGTH] = 0
    key = 0
    for back in range(5):
        key = mixed(key, text[at - back])
    key = key & MATCHES - 1
    if held[LENGTH] == 0 and places[key]:
        held[MATCH] = places[key]
        while held[LENGTH] < 32 and text[places[key] - 1 - held[LENGTH]] == text[at - held[LENGTH]]:
            held[LENGTH] = held[LENGTH] + 1
    places[key] = at + 1
    if byte == _QUOTE:
        if held[STRING]:
            if text[held[STRING] - 2] == _COLON and text[held[STRING] - 4] == _E:
                held[NAME] = held[STRING]
                held[TAIL] = held[WORD]
            held[STRING] = 0
        else:
            held[STRING] = at + 1
    if (byte >= 97 and byte <= 122) or (byte >= 48 and byte <= 57):
        held[WORD] = mixed(held[WORD], byte)
    else:
        held[BEFORE] = mixed(held[WORD], byte)
        held[WORD] = 0
    return 0
