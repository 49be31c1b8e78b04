"""The fast decoder against a slow one that defines the format, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.coder import huffman
from gossamer.errors import FormatError, TruncatedError


def slow_decode(data, count):
    """Decode in plain Python: one bit after another, one code after another."""
    if not count:
        return []
    bits = iter("".join(f"{byte:08b}" for byte in data))

    def number():
        zeros = 0
        while next(bits) == "0":
            zeros += 1
        return int("1" + "".join(next(bits) for _ in range(zeros)), 2)

    lengths, symbol, length, room = {}, -1, 0, 1.0
    while room > 0:
        symbol += number()
        change = number() - 1
        length += change // 2 if change % 2 == 0 else -(change + 1) // 2
        lengths[symbol] = length
        room -= 2.0**-length
    codes, code, last = {}, 0, 0
    for symbol in sorted(lengths, key=lambda s: (lengths[s], s)):
        code <<= lengths[symbol] - last
        last = lengths[symbol]
        codes[format(code, f"0{last}b") if last else ""] = symbol
        code += 1
    out = []
    for _ in range(count):
        read = ""
        while read not in codes:
            read += next(bits)
        out.append(codes[read])
    return out


def bits(text):
    padded = text.replace(" ", "")
    padded += "0" * (-len(padded) % 8)
    return bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8))


@given(st.integers(1, 400), st.data())
def test_the_fast_decoder_agrees_with_the_slow_one(alphabet, data):
    few = st.integers(0, alphabet - 1) | st.integers(0, min(3, alphabet - 1))
    symbols = np.array(data.draw(st.lists(few)), np.int64)
    packed = huffman.encode(symbols, alphabet)
    assert slow_decode(packed, len(symbols)) == symbols.tolist()
    assert huffman.decode(packed, len(symbols), alphabet).tolist() == symbols.tolist()


@given(st.integers(2, 40), st.data())
def test_the_fast_decoder_takes_from_damaged_streams_what_the_slow_one_takes(alphabet, data):
    symbols = np.array(data.draw(st.lists(st.integers(0, alphabet - 1), min_size=2)), np.int64)
    packed = bytearray(huffman.encode(symbols, alphabet))
    for position in data.draw(st.lists(st.integers(0, 8 * len(packed) - 1), max_size=3)):
        packed[position // 8] ^= 128 >> position % 8
    packed = bytes(packed[: data.draw(st.integers(0, len(packed)))])
    try:
        found = huffman.decode(packed, len(symbols), alphabet).tolist()
    except FormatError:
        return
    assert slow_decode(packed, len(symbols)) == found


def test_long_streams():
    rng = np.random.default_rng(2)
    symbols = np.minimum(rng.geometric(0.3, 400_000) - 1, 99)
    packed = huffman.encode(symbols, 100)
    assert (huffman.decode(packed, len(symbols), 100) == symbols).all()


def test_streams_that_end_in_the_middle_of_a_long_code():
    counts = 2 ** np.arange(17)
    packed = huffman.encode(np.repeat(np.arange(17), counts)[::-1], 17)
    for cut in (1, 2, 3):
        with pytest.raises(TruncatedError):
            huffman.decode(packed[:-cut], counts.sum(), 17)


def test_codes_of_the_longest_length():
    counts = 2 ** np.arange(20)
    symbols = np.repeat(np.arange(20), counts)
    packed = huffman.encode(symbols, 20)
    assert (huffman.decode(packed, len(symbols), 20) == symbols).all()


def test_known_bytes():
    # Symbol 0 has length 1, symbols 1 and 2 have length 2: codes 0, 10, 11.
    expected = bits("1 011  1 011  1 1  0 0 10 11")
    assert huffman.encode(np.array([0, 0, 1, 2]), 3) == expected


def test_canonical_codes_are_ordered_by_length_then_symbol():
    assert huffman.canonical_codes(np.array([2, 1, 3, 3])).tolist() == [2, 0, 6, 7]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", TruncatedError),
        ("1", TruncatedError),
        ("1 011 1 1", TruncatedError),  # complete code, but no symbols follow
        ("00101 1", FormatError),  # first symbol 4 of an alphabet of 4
        ("1 010", FormatError),  # a negative length
        ("1 00000100011", FormatError),  # length 17
        ("1 011 1 1 000000 01", FormatError),  # six codes of one bit, and a last byte not filled
        ("1 00101 1 010 1 1", FormatError),  # lengths 2, 1, 1: more codes than fit
        ("1 1 00000000", FormatError),  # one symbol, but a byte too many
    ],
)
def test_tables_that_are_wrong(text, error):
    with pytest.raises(error):
        huffman.decode(bits(text), 6, 4)


def test_a_count_beyond_the_bits_is_refused_before_memory_is_taken():
    packed = huffman.encode(np.array([0, 1]), 2)
    with pytest.raises(TruncatedError):
        huffman.decode(packed, 10**15, 2)
