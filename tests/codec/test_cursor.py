import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.cursor import Cursor, uvarint
from gossamer.errors import FormatError, TruncatedError


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_numbers_come_back(values):
    cursor = Cursor(memoryview(b"".join(map(uvarint, values))))
    assert [cursor.uvarint() for _ in values] == values
    cursor.finish()


@pytest.mark.parametrize(("value", "code"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_known_codes(value, code):
    assert uvarint(value).hex() == code


@pytest.mark.parametrize("code", ["8000", "ff" * 9 + "01", "80" * 8 + "8000"])
def test_numbers_that_are_long_are_refused(code):
    with pytest.raises(FormatError, match="integer"):
        Cursor(memoryview(bytes.fromhex(code))).uvarint()


def test_the_end_is_named():
    cursor = Cursor(memoryview(b"\x80"))
    with pytest.raises(TruncatedError):
        cursor.uvarint()
    with pytest.raises(TruncatedError):
        cursor.take(2**62)
    with pytest.raises(FormatError, match="left over"):
        Cursor(memoryview(b"a")).finish()
