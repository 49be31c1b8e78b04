"""Ways to damage `.goss` files: of all versions, and of fresh ones of every layout and profile."""

import copy
import json
import zlib
from pathlib import Path

import numpy as np

from gossamer.codec.container import pack, pack_stored, unpack
from gossamer.codec.cursor import uvarint
from gossamer.codec.limits import Limits
from gossamer.codec.write import encode
from gossamer.graph import Codebook, Dense, Graph, Input, Node, Quantised, Sparse
from gossamer.graph.ops import Linear

GOLDEN = [
    path.read_bytes() for path in sorted((Path(__file__).parents[1] / "golden").glob("*.goss"))
]


def fresh(seed):
    """A chain of four layers, one of each layout."""
    rng = np.random.default_rng(seed)
    sizes = [int(size) for size in rng.integers(1, 24, 5)]
    density = rng.choice([0.05, 0.3, 1.0])

    def values(n):
        drawn = rng.standard_normal((sizes[n + 1], sizes[n])).astype(np.float32)
        return drawn * (rng.random(drawn.shape) < density)

    few = np.round(4 * values(1)).astype(np.float32) / np.float32(3)
    integers = np.clip(np.rint(50 * values(3)), -127, 127)
    layouts = [
        Sparse.from_dense(values(0)),
        Codebook.from_dense(few),
        Dense.from_dense(values(2)),
        Quantised(integers.astype(np.int8), np.ones(sizes[4], np.float32)),
    ]
    names = [f"l{n}" for n in range(4)]
    nodes = tuple(
        Node(name, Linear(), (before,), {"weight": f"{name}.weight"})
        for name, before in zip(names, ["x", *names], strict=False)
    )
    weights = {f"{name}.weight": layout for name, layout in zip(names, layouts, strict=True)}
    return Graph(Input("x", (1, sizes[0])), nodes, "l3", weights)


FILES = GOLDEN + [encode(fresh(seed), ("small", "fast")[seed % 2]) for seed in range(6)]
TIGHT = Limits(header_bytes=2**14, nodes=200, entries=2**20, free_symbols=2**14)
BOXES = [
    (dict(box.header), [bytes(s) for s in box.sections], box.version)
    for box in (unpack(f, TIGHT) for f in FILES)
]

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


def swap_sections(rng):
    """Exchange whole sections, or put in those of another file, with the right checksums."""
    header, sections, version = copy.deepcopy(rng.choice(BOXES))
    other = rng.choice(BOXES)
    for _ in range(rng.choice([1, 2])):
        one, two = rng.randrange(len(sections)), rng.randrange(len(sections))
        if rng.random() < 0.5:
            sections[one] = rng.choice(other[1])
        else:
            sections[one], sections[two] = sections[two], sections[one]
        if rng.random() < 0.3:
            header["sections"][one] = rng.choice(other[0]["sections"])
    return pack(header, sections, rng.choice([version, version, other[2]]))


def change_lengths(rng):
    """Put another number where a section has one, with the right checksum."""
    header, sections, version = rng.choice(BOXES)
    sections = list(sections)
    index = rng.randrange(len(sections))
    section = bytearray(sections[index])
    at = rng.randrange(min(len(section), 24) + 1)
    number = rng.choice([0, 1, 127, 128, 300, 2**14, 2**20, 2**28, 2**31, 2**40, 2**63 - 1])
    section[at : at + rng.randrange(3)] = uvarint(number)
    sections[index] = bytes(section)
    return pack(header, sections, version)


MUTATIONS = (
    flip_bits,
    cut_and_splice,
    change_sections,
    change_header,
    change_text,
    swap_sections,
    change_lengths,
)
