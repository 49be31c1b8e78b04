"""Where the next float of a list is expected: a logistic distribution around a regression.

A bias makes up for the mean of what its filter adds, so where inputs are not negative it runs
against the sum of the filter's weights. The centre is the line through the floats so far over such
sums, by least squares; the width is the mean distance from it. Old floats count less and less.

Floats are integers here, in 2⁻²⁰, limited to ±16.
"""

from __future__ import annotations

from gossamer.codec.mixing.tables import SQUASH
from gossamer.jit.loop import I32, I64, Int

COUNT, SUMS, SQUARES, FLOATS, PRODUCTS, CENTRE, WIDTH, DISTANCES, MEASURED = range(9)
"""Of the floats so far: how many, their filters' sums, …; where the next one is expected."""
TREND = 16
UNIT = 20
LIMIT = 1 << 24
_MOST = 64
_MOST_MEASURED = 32
_RIDGE = 32


def begin_list(trend: I64) -> Int:
    """Let the lists before count as little as one float, and their distances as four."""
    while trend[COUNT] > 1:
        halve(trend)
    if trend[MEASURED]:
        trend[DISTANCES] = 4 * trend[DISTANCES] // trend[MEASURED]
    else:
        trend[DISTANCES] = 1 << UNIT
    trend[MEASURED] = 4
    return 0


def halve(trend: I64) -> Int:
    """Let all floats so far count half."""
    for i in range(CENTRE):
        trend[i] = trend[i] >> 1
    return 0


def expect(trend: I64, total: Int) -> Int:
    """Set centre and width for the float of a filter whose weights have a sum."""
    count = trend[COUNT]
    centre = 0
    if count:
        common = count * trend[PRODUCTS] - trend[SUMS] * trend[FLOATS]
        spread = count * trend[SQUARES] - trend[SUMS] * trend[SUMS] + (count << _RIDGE)
        slope = min(max(common // max(spread >> 10, 1), -(1 << 14)), 1 << 14)
        centre = trend[FLOATS] // count + (slope * (total - trend[SUMS] // count) >> 10)
    trend[CENTRE] = min(max(centre, -LIMIT), LIMIT)
    trend[WIDTH] = max(3 * trend[DISTANCES] // (4 * trend[MEASURED]), 16)
    return 0


def follow(trend: I64, total: Int, value: Int) -> Int:
    """Learn what a float was."""
    found = fixed(value)
    trend[DISTANCES] = trend[DISTANCES] + abs(found - trend[CENTRE])
    trend[MEASURED] = trend[MEASURED] + 1
    if trend[MEASURED] > _MOST_MEASURED:
        trend[DISTANCES] = trend[DISTANCES] >> 1
        trend[MEASURED] = trend[MEASURED] >> 1
    trend[COUNT] = trend[COUNT] + 1
    trend[SUMS] = trend[SUMS] + total
    trend[SQUARES] = trend[SQUARES] + total * total
    trend[FLOATS] = trend[FLOATS] + found
    trend[PRODUCTS] = trend[PRODUCTS] + total * found
    if trend[COUNT] > _MOST:
        halve(trend)
    return 0


def fixed(value: Int) -> Int:
    """Return the bits of a float32 as an integer in 2⁻²⁰, towards zero."""
    found = magnitude(value & (1 << 31) - 1)
    return -found if value >> 31 else found


def magnitude(bits: Int) -> Int:
    """Return the bits of a float32 that is not negative as an integer in 2⁻²⁰."""
    shift = (bits >> 23) - 130
    mantissa = bits & (1 << 23) - 1 | 1 << 23
    if shift >= 0:
        return min(mantissa << min(shift, 1), LIMIT)
    return mantissa >> min(-shift, 24)


def share_below(tables: I32, trend: I64, place: Int) -> Int:
    """Return the probability of less than a number, in 1/65536."""
    steps = 256 * (place - trend[CENTRE]) // trend[WIDTH]
    return tables[SQUASH + min(max(steps, -2047), 2047) + 2047]


def chance(tables: I32, trend: I64, place: Int, found: Int) -> Int:
    """Return the probability that the bit of a float32 at a place is 1, in 1/65536.

    `found` are the bits above it, the sign the highest of all.
    """
    if place == 31:
        return share_below(tables, trend, 0)
    start = (found & (1 << 30 - place) - 1) << place + 1
    first = magnitude(start)
    middle = magnitude(start + (1 << place))
    last = magnitude(start + (2 << place))
    if found >> 30 - place:
        end = share_below(tables, trend, -last)
        whole = share_below(tables, trend, -first) - end
        upper = share_below(tables, trend, -middle) - end
    else:
        end = share_below(tables, trend, last)
        whole = end - share_below(tables, trend, first)
        upper = end - share_below(tables, trend, middle)
    return 65536 * (upper + 1) // (whole + 2)
