import numpy as np
import pytest

from gossamer.codec import profile
from gossamer.codec.brief import brief, full
from gossamer.codec.container import pack, unpack
from gossamer.codec.limits import Limits
from gossamer.codec.profile import PROFILES, write_small
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import FormatError
from gossamer.graph import Codebook, Dense, Sparse


def test_the_file_says_its_profile_and_readers_need_no_option(small_graph):
    for name in PROFILES:
        data = encode(small_graph, name)
        assert unpack(data, Limits()).header["profile"] == name
        assert decode(data) == small_graph
    with pytest.raises(FormatError, match="unknown profile"):
        encode(small_graph, "tiny")


def test_small_is_not_larger_than_fast(small_graph):
    assert len(encode(small_graph, "small")) <= len(encode(small_graph, "fast"))


def test_what_the_mixing_coder_cannot_hold_has_tables():
    wide = Codebook((2, 3), [1], [7], np.arange(1, 2**15 + 1, dtype=np.float32))
    small = Dense(np.ones((3, 4), np.float32))
    sections = write_small([small, wide, small])
    assert [(form, numbers) for form, numbers, _ in sections] == [
        ("mixed", [0]),
        ("codebook", [1]),
        ("mixed", [2]),
    ]


def test_what_unpacks_to_too_much_has_tables(monkeypatch):
    monkeypatch.setattr(profile, "_FREE_SYMBOLS", 1000)
    assert write_small([Sparse((100, 100), [5], [1.0])])[0][0] == "sparse"


def test_large_networks_have_several_sections_and_are_read_side_by_side(
    rng, monkeypatch, graph_around, small_graph
):
    monkeypatch.setattr(profile, "_SHARED_ENTRIES", 100)
    monkeypatch.setattr("gossamer.codec.read._PARALLEL_BYTES", 0)
    data = encode(small_graph)
    assert len(unpack(data, Limits()).sections) > 1
    assert decode(data) == small_graph


@pytest.mark.parametrize(
    ("version", "profile"),
    [(1, "small"), (2, "small"), (3, None), (3, 5), (3, "tiny"), (4, None), (5, "tiny")],
)
def test_versions_and_profiles_must_agree(small_graph, version, profile):
    box = unpack(encode(small_graph), Limits())
    header = full(box.header, lambda symbols: None)
    del header["profile"]
    if profile is not None:
        header["profile"] = profile
    with pytest.raises(FormatError, match="this version"):
        decode(
            pack(
                brief(header) if version > 4 else header, [bytes(s) for s in box.sections], version
            )
        )


def test_large_networks_are_made_to_be_read_fast(monkeypatch, small_graph):
    assert unpack(encode(small_graph), Limits()).header["profile"] == "small"
    monkeypatch.setattr(profile, "SMALL_UP_TO", 0)
    assert unpack(encode(small_graph), Limits()).header["profile"] == "fast"
