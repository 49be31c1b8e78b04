"""The loops of the coder by numeral systems against their plain Python, and the shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.coder import ans, ans_loop
from gossamer.codec.coder.ans import decode, encode, frequencies_of
from gossamer.counts import entropy_bits
from gossamer.errors import FormatError


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=1500))
def test_frequencies_add_up(counts):
    bits, frequencies = frequencies_of(np.array(counts))
    assert bits == (12 if len(counts) <= 1024 else 16)
    assert frequencies.sum() == 2**bits
    assert frequencies.min() >= 1


def test_both_loops_agree_with_plain_python(rng, monkeypatch):
    symbols = np.minimum(rng.geometric(0.1, 501) - 1, 63)
    data = encode(symbols, 64)
    monkeypatch.setattr(ans, "write_words", ans_loop.write_words.plain)
    monkeypatch.setattr(ans, "read_words", ans_loop.read_words.plain)
    assert encode(symbols, 64) == data
    assert decode(data, 501, 64).tolist() == symbols.tolist()


def test_the_length_is_near_the_entropy(rng):
    symbols = np.minimum(rng.geometric(0.3, 50_000) - 1, 31)
    assert 8 * len(encode(symbols, 32)) < 1.002 * entropy_bits(symbols) + 600


def test_damage_is_refused_or_in_range(rng):
    symbols = np.minimum(rng.geometric(0.2, 300) - 1, 15)
    data = encode(symbols, 16)
    refused = 0
    for at in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[at // 8] ^= 1 << at % 8
        try:
            assert decode(bytes(wrong), 300, 16).max() < 16
        except FormatError:
            refused += 1
    # Each of four states must end at one value of 2³².
    assert refused > 0.99 * 8 * len(data)


@pytest.mark.parametrize("table", ["88", "00", "ff", "2480", "880d8000ff"])
def test_wrong_tables_are_refused(table):
    with pytest.raises(FormatError):
        decode(bytes.fromhex(table), 3, 8)
