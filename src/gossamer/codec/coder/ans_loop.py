"""The loops of the coder by numeral systems, four states in turns."""

from __future__ import annotations

from gossamer.jit.loop import I64, U16, Int, Loop

LANES = 4
WORD_BITS = 16
LOWEST = 1 << 16


def put_symbols(symbols: U16, entries: I64, words: U16, states: I64, count: Int, bits: Int) -> Int:
    """Write symbols from the last to the first into `words` from its end; return the first word.

    `entries` has for each symbol its frequency, and 2³² times the sum of those before.
    """
    at = count + LANES
    for i in range(count - 1, -1, -1):
        state = states[i & 3]
        entry = entries[symbols[i]]
        frequency = entry & 0xFFFFFFFF
        if state >> 32 - bits >= frequency:
            at -= 1
            words[at] = state & 0xFFFF
            state >>= WORD_BITS
        states[i & 3] = (state // frequency << bits) + state % frequency + (entry >> 32)
    return at


def take_symbols(
    symbols: U16, slots: I64, words: U16, states: I64, count: Int, bits: Int, end: Int
) -> Int:
    """Read symbols; return how many words were taken, or more than there are.

    `slots` has for each remainder its symbol, 2¹⁶ times the frequency, and 2⁴⁰ times its place.
    """
    zero = states[0]
    one = states[1]
    two = states[2]
    three = states[3]
    mask = (1 << bits) - 1
    at = 0
    i = 0
    while i + 4 <= count and at + 4 <= end:
        slot = slots[zero & mask]
        symbols[i] = slot & 0xFFFF
        zero = (slot >> 16 & 0xFFFFFF) * (zero >> bits) + (slot >> 40)
        if zero < LOWEST:
            zero = zero << 16 | words[at]
            at += 1
        slot = slots[one & mask]
        symbols[i + 1] = slot & 0xFFFF
        one = (slot >> 16 & 0xFFFFFF) * (one >> bits) + (slot >> 40)
        if one < LOWEST:
            one = one << 16 | words[at]
            at += 1
        slot = slots[two & mask]
        symbols[i + 2] = slot & 0xFFFF
        two = (slot >> 16 & 0xFFFFFF) * (two >> bits) + (slot >> 40)
        if two < LOWEST:
            two = two << 16 | words[at]
            at += 1
        slot = slots[three & mask]
        symbols[i + 3] = slot & 0xFFFF
        three = (slot >> 16 & 0xFFFFFF) * (three >> bits) + (slot >> 40)
        if three < LOWEST:
            three = three << 16 | words[at]
            at += 1
        i += 4
    states[0] = zero
    states[1] = one
    states[2] = two
    states[3] = three
    while i < count:
        slot = slots[states[i & 3] & mask]
        symbols[i] = slot & 0xFFFF
        state = (slot >> 16 & 0xFFFFFF) * (states[i & 3] >> bits) + (slot >> 40)
        if state < LOWEST:
            state = state << 16 | (words[at] if at < end else 0)
            at += 1
        states[i & 3] = state
        i += 1
    return at


write_words = Loop(put_symbols)
read_words = Loop(take_symbols)
