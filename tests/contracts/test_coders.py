"""What every coder promises, checked over the registry."""

from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.codec.coder import CODERS
from gossamer.counts import entropy_bits
from gossamer.errors import FormatError, UnknownNameError

ALL = pytest.mark.parametrize("name", list(CODERS))

# Most bits that a stream may take, from the entropy of its symbols in bits, their number, the
# number of distinct ones, and the alphabet. Huffman codes: less than one bit a symbol over the
# entropy, a quarter more for the limit of 16 bits (at most 4,096 distinct symbols), and a table.
BOUNDS = {
    "raw": lambda entropy, count, distinct, alphabet: count * ceil(log2(alphabet)) + 7,
    "huffman": lambda entropy, count, distinct, alphabet: (
        entropy + 1.25 * count + distinct * (2 * ceil(log2(alphabet + 1)) + 1 + 11) + 7
    ),
    # Four states, and a table of distances, changes and frequencies. A rare symbol's frequency is
    # rounded up to 1 / 4096, which takes from the others.
    "ans": lambda entropy, count, distinct, alphabet: (
        entropy * 1.1
        + count * 0.1
        + distinct * (2 * ceil(log2(alphabet + 1)) + 1 + 11 + 17)
        + 16 * 4
        + 16 * 4
        + 15
    ),
}


@st.composite
def streams(draw):
    alphabet = draw(st.sampled_from([1, 2, 3, 7, 8, 100, 255, 256, 257, 4096, 2**16]))
    few = draw(st.lists(st.integers(0, alphabet - 1), min_size=1, max_size=6))
    symbol = draw(st.sampled_from([st.sampled_from(few), st.integers(0, alphabet - 1)]))
    return np.array(draw(st.lists(symbol, max_size=120)), np.uint16), alphabet


def test_every_coder_states_its_overhead():
    assert set(BOUNDS) == set(CODERS)


def test_an_unknown_coder_is_named():
    with pytest.raises(UnknownNameError, match="huffman"):
        CODERS["hufman"]


@ALL
@settings(deadline=None)
@given(stream=streams())
def test_symbols_come_back_and_the_size_is_as_announced(name, stream):
    symbols, alphabet = stream
    data = CODERS[name].encode(symbols, alphabet)
    decoded = CODERS[name].decode(data, len(symbols), alphabet)
    assert decoded.dtype == np.uint16
    assert decoded.tolist() == symbols.tolist()
    announced = CODERS[name].size_bytes(np.bincount(symbols, minlength=alphabet))
    assert abs(announced - len(data)) <= (8 + len(data) // 1000 if name == "ans" else 0)
    bound = BOUNDS[name](entropy_bits(symbols), len(symbols), len(set(symbols.tolist())), alphabet)
    assert 8 * len(data) <= bound


@ALL
def test_no_symbols_take_no_bytes(name):
    for alphabet in (0, 1, 2, 2**16):
        assert CODERS[name].encode(np.zeros(0, np.uint16), alphabet) == b""
        assert CODERS[name].decode(b"", 0, alphabet).tolist() == []
        with pytest.raises(FormatError):
            CODERS[name].decode(b"\x80", 0, alphabet)


@ALL
def test_an_alphabet_of_one(name):
    data = CODERS[name].encode(np.zeros(1000, np.uint16), 1)
    assert len(data) <= 4
    assert CODERS[name].decode(data, 1000, 1).tolist() == [0] * 1000


@ALL
def test_the_largest_alphabet(name):
    symbols = np.random.default_rng(3).permutation(2**16).astype(np.uint16)
    data = CODERS[name].encode(symbols, 2**16)
    assert (CODERS[name].decode(data, 2**16, 2**16) == symbols).all()


@ALL
@settings(deadline=None)
@given(stream=streams().filter(lambda stream: len(stream[0]) > 0))
def test_what_is_cut_or_too_long_is_refused(name, stream):
    symbols, alphabet = stream
    data = CODERS[name].encode(symbols, alphabet)
    for wrong in (data + b"\0", *([data[:-1]] if data else [])):
        with pytest.raises(FormatError):
            CODERS[name].decode(wrong, len(symbols), alphabet)
    # A repeated symbol takes no bits, so that its count cannot be checked against the bytes.
    if len(set(symbols.tolist())) > 1:
        with pytest.raises(FormatError):
            CODERS[name].decode(data, len(symbols) + 8 * len(data), alphabet)


@ALL
@settings(deadline=None)
@given(
    data=st.binary(max_size=60),
    count=st.integers(0, 300),
    alphabet=st.sampled_from([1, 2, 5, 8, 256, 2**16]),
)
def test_any_bytes_are_decoded_in_range_or_refused(name, data, count, alphabet):
    try:
        symbols = CODERS[name].decode(data, count, alphabet)
    except FormatError:
        return
    assert symbols.shape == (count,)
    assert count == 0 or symbols.max() < alphabet
