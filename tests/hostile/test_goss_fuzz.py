"""Thousands of damaged files: a FormatError or a well-formed graph, in bounded memory."""

import copy
import json
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest

from gossamer.codec.container import pack, pack_stored, unpack
from gossamer.codec.limits import Limits
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import FormatError
from gossamer.graph import verify

FILES = [
    path.read_bytes() for path in sorted((Path(__file__).parents[1] / "golden").glob("*.goss"))
]
TIGHT = Limits(header_bytes=2**14, nodes=200, entries=2**20, free_symbols=2**14)
BOXES = [
    (dict(box.header), [bytes(s) for s in box.sections], box.version)
    for box in (unpack(f, TIGHT) for f in FILES)
]
MUTATIONS = 2500

HOSTILE = [
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        3,
        7,
        255,
        2**16,
        2**24,
        2**31,
        2**32,
        2**63,
        10**400,
        0.5,
        1e308,
    ),
    *(
        "",
        "x",
        "y.weight",
        "dense",
        "sparse",
        "codebook",
        "quantised",
        "weight",
        "\0",
        "🕸",
        "a" * 2000,
    ),
    *([], {}, [0], [1, 1], [0, 0], [10**9], [2**31, 2**31], [[]], {"kind": "flatten"}),
]


def flip_bits(rng):
    data = bytearray(rng.choice(FILES))
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut_and_splice(rng):
    data, other = rng.choice(FILES), rng.choice(FILES)
    start, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    middle = rng.choice([b"", data[start:stop] * 2, other[start:stop], rng.randbytes(stop - start)])
    return data[:start] + middle + data[rng.choice([stop, len(data)]) :]


def change_sections(rng):
    """Damage sections and give them the right checksums."""
    header, sections, version = rng.choice(BOXES)
    sections = list(sections)
    for _ in range(rng.choice([1, 1, 2, 4])):
        index = rng.randrange(len(sections))
        section = bytearray(sections[index])
        at = rng.randrange(len(section) + 1)
        match rng.randrange(4):
            case 0 if section:
                section[at % len(section)] ^= 1 << rng.randrange(8)
            case 1:
                section[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
            case 2:
                del section[at:]
            case _:
                section[at:] = rng.choice(rng.choice(BOXES)[1])[at:]
        sections[index] = bytes(section)
    return pack(header, sections, version)


def change_header(rng):
    """Put hostile values anywhere into the JSON, and give it the right checksum."""
    header, sections, version = copy.deepcopy(rng.choice(BOXES))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        change_value(header, rng)
    return pack(header, sections, version)


def change_value(value, rng):
    """Change one random place of a tree of lists and dictionaries."""
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not places:
            return
        place = rng.choice(places)
        child = value[place]
        if not isinstance(child, (dict, list)) or not child or rng.random() < 0.15:
            break
        value = child
    match rng.randrange(6):
        case 0:
            del value[place]
        case 1 if isinstance(value, list):
            value.insert(place, copy.deepcopy(rng.choice([child, *HOSTILE])))
        case 2 if isinstance(child, int):
            value[place] = child + rng.choice([-1, 1, 1000])
        case 3 if isinstance(value, dict):
            value[rng.choice(["stride", "groups", "order", "shuffle", "inputs", "zz"])] = (
                rng.choice(HOSTILE)
            )
        case _:
            value[place] = copy.deepcopy(rng.choice(HOSTILE))


def change_text(rng):
    """Damage the JSON text or its deflated form, and give it the right checksum."""
    header, sections, version = rng.choice(BOXES)
    text = bytearray(json.dumps(header, ensure_ascii=False).encode())
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.randrange(len(text))
        text[at : at + rng.randrange(3)] = rng.choice(
            [b"", b'"', b"[", b"}", b"NaN", b"1e999", b"\xff", b"9" * 30]
        )
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    stored = bytearray(squeeze.compress(bytes(text)) + squeeze.flush())
    if rng.random() < 0.3:
        stored[rng.randrange(len(stored))] ^= 1 << rng.randrange(8)
    return pack_stored(bytes(stored), len(text), sections, version)


def outcome(data):
    """Return whether a file was refused; otherwise its graph must be well formed and come back."""
    try:
        graph = decode(data, TIGHT)
    except FormatError as error:
        return bool(str(error))
    verify(graph)
    assert decode(encode(graph)) == graph
    return False


@pytest.mark.parametrize(
    ("mutate", "refused"),
    [
        (flip_bits, 0.99),
        (cut_and_splice, 0.9),
        (change_sections, 0.5),
        (change_header, 0.7),
        (change_text, 0.7),
    ],
)
def test_damaged_files_are_refused_or_well_formed(mutate, refused):
    rng = random.Random(mutate.__name__)
    outcomes = [outcome(mutate(rng)) for _ in range(MUTATIONS)]
    # Most damage is noticed; that some is not shows that mutations get past the checksums.
    assert sum(outcomes) >= refused * MUTATIONS


def test_damaged_files_take_little_memory():
    rng = random.Random(5)
    mutations = [flip_bits, cut_and_splice, change_sections, change_header, change_text]
    files = [rng.choice(mutations)(rng) for _ in range(400)]
    tracemalloc.start()
    for data in files:
        outcome(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 * 2**20
