import numpy as np
import pytest

from gossamer.codec.coder import CODERS
from gossamer.codec.cursor import uvarint
from gossamer.codec.limits import Budget, Limits
from gossamer.codec.section import SectionReader, smallest_size, write_stream
from gossamer.errors import FormatError, LimitExceededError


def reader(data, symbols=1000):
    return SectionReader(
        memoryview(data), Budget(Limits(free_symbols=symbols, symbols_per_byte=0), 0)
    )


def test_the_smaller_coder_wins(rng):
    even, skewed, most = (rng.integers(0, 256, 900), *(rng.geometric(p, 900) for p in (0.5, 0.9)))
    for symbols, coder in ((even, "raw"), (skewed, "huffman"), (most, "ans")):
        data = write_stream(symbols, 256)
        found = reader(data)
        assert found.stream("values", 900, 256).tolist() == symbols.tolist()
        (stream,) = found.streams
        assert (stream.label, stream.coder, stream.symbols) == ("values", coder, 900)
        assert stream.size_bytes == len(data)
        best = min(len(coder.encode(symbols, 256)) for coder in CODERS.values())
        announced = smallest_size(np.bincount(symbols, minlength=256))
        assert announced <= best + 8
        assert best <= len(data) <= best + 8


def test_streams_follow_each_other():
    found = reader(write_stream(np.array([1, 2]), 4) + write_stream(np.array([0]), 1))
    assert found.stream("a", 2, 4).tolist() == [1, 2]
    assert found.stream("b", 1, 1).tolist() == [0]
    found.finish()


def test_numbers_of_coders_never_change():
    assert list(CODERS)[:3] == ["raw", "huffman", "ans"]


def test_an_unknown_coder_is_refused():
    with pytest.raises(FormatError, match="unknown coder"):
        reader(uvarint(8 + 7) + b"\0").stream("a", 1, 2)


def test_too_large_an_alphabet_is_refused():
    with pytest.raises(FormatError, match="alphabet"):
        reader(uvarint(8) + b"\0").stream("a", 1, 2**16 + 1)


def test_a_repeated_symbol_is_charged():
    data = write_stream(np.full(2000, 5), 8)
    assert len(data) <= 3
    with pytest.raises(LimitExceededError, match="far more"):
        reader(data).stream("a", 2000, 8)
    assert reader(data, symbols=2000).stream("a", 2000, 8).tolist() == [5] * 2000
