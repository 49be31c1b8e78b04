import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.container import MAGIC, pack, pack_stored, unpack
from gossamer.codec.limits import Limits
from gossamer.errors import (
    ChecksumError,
    FormatError,
    LimitExceededError,
    TruncatedError,
    UnsupportedVersionError,
)

HEADER = {"name": "ä", "list": [1, 2.5, True, None]}
SECTIONS = [b"", b"one", bytes(300)]
FILE = pack(HEADER, SECTIONS)


def deflated(text):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeeze.compress(text) + squeeze.flush()


def open_text(text, unpacked_bytes=None):
    size = len(text) if unpacked_bytes is None else unpacked_bytes
    return unpack(pack_stored(deflated(text), size, []), Limits())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), json_values, max_size=3), st.lists(st.binary()))
def test_what_is_packed_comes_back(header, sections):
    data = pack(header, sections)
    box = unpack(data, Limits())
    assert box.header == header
    assert [bytes(section) for section in box.sections] == sections
    assert box.header_bytes + box.frame_bytes + sum(map(len, sections)) == len(data)


def test_a_section_costs_five_bytes_and_the_frame_eighteen():
    assert len(pack(HEADER, [*SECTIONS, b"x"])) - len(FILE) == 6
    box = unpack(pack(HEADER, []), Limits())
    assert box.frame_bytes == 8 + 1 + 2 + 1 + 4


def test_every_truncation_is_named():
    with pytest.raises(FormatError):
        unpack(b"", Limits())
    for length in range(1, len(FILE)):
        with pytest.raises(TruncatedError):
            unpack(FILE[:length], Limits())


def test_bytes_after_the_last_section_are_refused():
    with pytest.raises(FormatError, match="left over"):
        unpack(FILE + b"\0", Limits())


def test_every_flipped_bit_is_noticed():
    for bit in range(8 * len(FILE)):
        data = bytearray(FILE)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            unpack(bytes(data), Limits())


def test_flips_in_header_and_sections_are_checksum_errors():
    for index, where in ((20, "header"), (len(FILE) - 1, "section 2")):
        data = bytearray(FILE)
        data[index] ^= 1
        with pytest.raises(ChecksumError, match=where):
            unpack(bytes(data), Limits())


def test_other_files_are_named():
    for data in (b"PK\x03\x04....", b"{}", b"\x93NUMPY\x01\x00"):
        with pytest.raises(FormatError, match=r"not a \.goss file"):
            unpack(data, Limits())
    with pytest.raises(FormatError, match="text-mode"):
        unpack(FILE.replace(b"\r\n", b"\n"), Limits())


def test_another_version_is_named():
    with pytest.raises(UnsupportedVersionError, match=r"got 99, expected \(1, 2, 3, 4, 5, 6\)"):
        unpack(MAGIC + b"\x63" + FILE[9:], Limits())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1e999}', "1e999"),
        (b'{"a":"\xff"}', "not JSON"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b'{"a":1', "not JSON"),
        (b"[1]", "not an object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_headers_that_are_not_plain_json(text, message):
    with pytest.raises(FormatError, match=message):
        open_text(text)


def test_the_header_has_the_length_that_it_states():
    text = json.dumps(HEADER).encode()
    assert open_text(text).header == HEADER
    for size in (len(text) - 1, len(text) + 1, 0):
        with pytest.raises(FormatError, match="another length"):
            open_text(text, size)
    with pytest.raises(FormatError, match="another length"):
        unpack(pack_stored(deflated(text) + b"\0", len(text), []), Limits())
    with pytest.raises(FormatError, match="unpacked"):
        unpack(pack_stored(b"\xff\xff", 5, []), Limits())


def test_limits_come_before_unpacking():
    with pytest.raises(LimitExceededError, match="header"):
        open_text(bytes(2**23))
    with pytest.raises(LimitExceededError, match="header"):
        open_text(b"{}", unpacked_bytes=2**60)
    with pytest.raises(LimitExceededError, match="too long"):
        unpack(FILE, Limits(file_bytes=len(FILE) - 1))


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {1, 2}, object()])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(FormatError, match="JSON"):
        pack({"value": value}, [])
