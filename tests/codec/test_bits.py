import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.bits import (
    GammaReader,
    check_end,
    code_bits,
    gamma_lengths,
    pack_bits,
    unpack_fields,
)
from gossamer.errors import FormatError, TruncatedError


@given(st.lists(st.lists(st.integers(0, 1)), max_size=8))
def test_packing_is_that_of_a_number_written_in_base_two(chunks):
    text = "".join(str(bit) for chunk in chunks for bit in chunk)
    padded = text + "0" * (-len(text) % 8)
    expected = bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8))
    assert pack_bits(np.array(chunk, np.uint8) for chunk in chunks) == expected


@given(st.lists(st.tuples(st.integers(0, 2**33), st.integers(0, 40))))
def test_codes_are_written_highest_bit_first(pairs):
    codes, lengths = np.array([*zip(*pairs, strict=True)] or [[], []], np.int64)
    expected = [(code >> (length - 1 - i)) & 1 for code, length in pairs for i in range(length)]
    assert code_bits(codes, lengths).tolist() == expected


@given(st.integers(0, 16), st.data())
def test_fields_come_back(width, data):
    values = np.array(data.draw(st.lists(st.integers(0, 2**width - 1))), np.int64)
    packed = pack_bits([code_bits(values, np.full(len(values), width))])
    assert unpack_fields(packed, width, len(values)).tolist() == values.tolist()


@given(st.lists(st.integers(1, 2**17)))
def test_gamma_codes_come_back(values):
    numbers = np.array(values, np.int64)
    lengths = gamma_lengths(numbers)
    reader = GammaReader(pack_bits([code_bits(numbers, lengths)]))
    assert [reader.read() for _ in values] == values
    assert reader.position == lengths.sum()


def test_gamma_codes_that_end_too_early():
    for data in (b"", b"\0", b"\x01"):
        with pytest.raises(TruncatedError):
            GammaReader(data).read()


def test_the_end_of_a_stream_is_exact():
    check_end(b"", 0)
    check_end(b"\x80", 1)
    with pytest.raises(TruncatedError):
        check_end(b"\x80", 9)
    with pytest.raises(FormatError, match="too long"):
        check_end(b"\x80\x00", 8)
    with pytest.raises(FormatError, match="zeros"):
        check_end(b"\x81", 7)
