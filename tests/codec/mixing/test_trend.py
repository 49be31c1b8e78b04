import math
import struct

import numpy as np

from gossamer.codec.mixing.stream import MixedStream
from gossamer.codec.mixing.tables import tables
from gossamer.codec.mixing.trend import (
    CENTRE,
    LIMIT,
    TREND,
    UNIT,
    begin_list,
    chance,
    expect,
    fixed,
    follow,
)


def bits_of(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def test_floats_are_rounded_towards_zero():
    for value in (1.0, -1.0, 0.3, -7.77, 15.99, 2.0**-20, 2.0**-21, 0.0):
        assert fixed(bits_of(value)) == math.trunc(np.float32(value).astype(float) * 2**UNIT)
    for value in (16.0, 17.5, 3e38, math.inf):
        assert fixed(bits_of(value)) == LIMIT
        assert fixed(bits_of(-value)) == -LIMIT


def test_the_centre_is_the_line_through_what_was_seen(rng):
    trend = np.zeros(TREND, np.int64)
    begin_list(trend)
    for total in rng.uniform(-2, 2, 40):
        expect(trend, int(total * 2**UNIT))
        follow(trend, int(total * 2**UNIT), bits_of(0.5 - 0.75 * total))
    expect(trend, 2**UNIT)
    assert abs(trend[CENTRE] / 2**UNIT + 0.25) < 0.01


def test_chances_of_all_floats_add_up_to_one(rng):
    """Of signs, exponents and three bits of the mantissa."""
    trend = np.zeros(TREND, np.int64)
    begin_list(trend)
    for value in rng.normal(0.4, 0.2, 30).astype(np.float32):
        expect(trend, 0)
        follow(trend, 0, bits_of(value))
    expect(trend, 0)

    def walk(place, found, share):
        if share < 1e-5 or place < 20:
            return share
        one = chance(tables().data, trend, place, found) / 65536
        assert 0 <= one <= 1
        zero = walk(place - 1, 2 * found, share * (1 - one))
        return zero + walk(place - 1, 2 * found + 1, share * one)

    assert abs(walk(31, 0, 1.0) - 1) < 0.01
    assert chance(tables().data, trend, 31, 0) < 65536 // 5


def test_floats_that_follow_sums_take_less(rng):
    sums = rng.normal(0, 2, 300)
    values = (0.1 - 0.4 * sums + rng.normal(0, 0.02, 300)).astype(np.float32)

    def size(totals):
        stream = MixedStream()
        stream.floats(values, totals)
        return len(stream.finish())

    totals = (sums * 2**UNIT).astype(np.int64)
    # The spread is 40 times as large as the noise, which five bits can tell.
    assert size(totals) < size(None) - 300 * 3 / 8
    assert size(totals[:7]) == size(None)
