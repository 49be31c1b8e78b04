from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.codec.mixing import text_stream
from gossamer.codec.mixing.text_stream import TextStream, primer, read_text, write_text
from gossamer.errors import FormatError

HEADER = b'{"name":"net","input":["input",[1,3,32,32],[0]],"nodes":[{"name":"stem.conv","op":{}}]}'


def both_ways(text, **options):
    writer = TextStream(**options)
    assert writer.text(text) == text
    data = writer.finish()
    reader = TextStream(data, **options)
    assert reader.text(len(text)) == text
    assert reader.finish() == data
    return data


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=300) | st.text('":e{a', max_size=300).map(str.encode))
def test_any_text_comes_back(text):
    both_ways(text)


@pytest.mark.parametrize("known", [b"", HEADER[:30]])
def test_native_and_plain_python_agree(known):
    text = HEADER + HEADER[20:] + bytes(range(256))
    assert both_ways(text, primer=known) == both_ways(text, primer=known, plain=True)


def test_a_header_is_shorter_for_having_read_one():
    assert len(write_text(HEADER)) < len(HEADER) // 3
    assert len(both_ways(HEADER)) > len(HEADER) // 2
    assert read_text(write_text(HEADER), len(HEADER)) == HEADER


def test_the_primer_is_a_line_of_text():
    assert primer().isascii()
    assert b"\n" not in primer()


def test_damage_is_found_or_gives_another_text():
    data = write_text(HEADER)
    for at in range(len(data)):
        wrong = bytearray(data)
        wrong[at] ^= 64
        with suppress(FormatError):
            assert read_text(bytes(wrong), len(HEADER)) != HEADER
    with pytest.raises(FormatError):
        read_text(data + b"\0", len(HEADER))


def test_too_long_a_text_is_refused(monkeypatch):
    monkeypatch.setattr(text_stream, "LONGEST_TEXT", 10)
    with pytest.raises(FormatError, match="too long"):
        read_text(b"", 11)
