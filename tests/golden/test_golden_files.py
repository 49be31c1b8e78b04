"""Files of each version of the format that must be readable for ever.

To write the files of the newest version anew after a deliberate change of the format (and of its
version):

    python tests/golden/test_golden_files.py
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gossamer.codec.container import unpack
from gossamer.codec.files import load, save
from gossamer.codec.limits import Limits
from gossamer.codec.parity import next_state
from gossamer.codec.write import encode
from gossamer.graph import Codebook, Dense, Graph, Input, Node, Quantised, Sparse
from gossamer.graph.ops import (
    Add,
    AvgPool2d,
    ChannelPermute,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Quantise,
    ScaleShift,
    Softmax,
)
from gossamer.images import InputRecord

FOLDER = Path(__file__).parent


def pattern(*shape, period=7):
    """Small multiples of 1/8 with a pattern that needs no random generator."""
    size = int(np.prod(shape))
    steps = (np.arange(size) * 5 + np.arange(size) // 3) % period - period // 2
    return (steps / 8).astype(np.float32).reshape(shape)


def every(step, array):
    """The array with only every `step`-th entry kept."""
    kept = np.zeros(array.size, np.float32)
    kept[::step] = array.ravel()[::step]
    return kept.reshape(array.shape)


def dense():
    values = np.arange(12, dtype=np.uint32) * 0x1234567
    strange = [0x7FC00001, 0x7F800001, 0xFF800000, 0x80000000, 0, 1]
    weight = np.concatenate([values[:6], np.array(strange, np.uint32)]).view(np.float32)
    weights = {"y.weight": Dense(weight.reshape(3, 4)), "y.bias": Dense(pattern(3))}
    node = Node("y", Linear("relu"), ("x",), {role: f"y.{role}" for role in ("weight", "bias")})
    return Graph(Input("x", (1, 4)), (node,), "y", weights, name="dense")


def sparse():
    weights = {
        "c.weight": Sparse.from_dense(every(4, 1 + pattern(6, 2, 3, 3))),
        "d": Sparse((6, 6, 1, 1), [5], [np.float32(-0.1)]),
        "e.weight": Sparse((2, 6), [], []),
    }
    nodes = (
        Node("c", Conv2d((2, 1), (1, 1, 0, 1), activation="relu6"), ("x",), {"weight": "c.weight"}),
        Node("d", Conv2d(), ("c",), {"weight": "d"}),
        Node("p", GlobalAvgPool(), ("d",)),
        Node("f", Flatten(), ("p",)),
        Node("e", Linear(), ("f",), {"weight": "e.weight"}),
    )
    record = InputRecord(5, 5, "L", mean=(0.5,), deviation=(0.25,), class_names=("één", "二"))
    # The input of two channels does not fit the record: a file keeps what it is given.
    return Graph(
        Input("x", (2, 2, 5, 5), frozenset({0, 2, 3})), nodes, "e", weights, record, "sparse"
    )


def codebook():
    column = np.zeros((16, 8), np.float32)
    column[:, 2], column[::3, 5] = 0.5, -0.25
    weights = {
        "a.weight": Codebook.from_dense(pattern(8, 4, 1, 1, period=5)),
        "s": Dense(pattern(8)),
        "b.weight": Codebook.from_dense(np.full((8, 1, 1, 1), 0.75, np.float32)),
        "z.weight": Codebook.from_dense(column),
    }
    nodes = (
        Node("a", Conv2d(), ("x",), {"weight": "a.weight", "scale": "s", "bias": "s"}),
        Node("p", ChannelPermute((0, 2, 4, 6, 1, 3, 5, 7)), ("a",)),
        Node("b", Conv2d(groups=8), ("p",), {"weight": "b.weight"}),
        Node("t", Add("relu"), ("a", "b")),
        Node("n", ScaleShift(), ("t",), {"scale": "s", "shift": "s"}),
        Node("q", ChannelPermute((7, 6, 5, 4, 3, 2, 1, 0)), ("n",)),
        Node("m", MaxPool2d((2, 2), (2, 2)), ("q",)),
        Node("v", AvgPool2d((2, 2), (2, 2), count_include_pad=False), ("q",)),
        Node("o", Concat(), ("m", "v")),
        Node("g", GlobalAvgPool(), ("q",)),
        Node("f", Flatten(), ("g",)),
        Node("z", Linear(), ("f",), {"weight": "z.weight"}),
    )
    return Graph(Input("x", (1, 4, 4, 4)), nodes, "z", weights, name="codebook")


def quantised():
    full = (np.arange(72) * 37 % 255 - 127).reshape(4, 2, 3, 3)
    few = np.zeros((3, 16), int)
    few[0, 3], few[2, 1], few[2, 2] = -8, 7, 1
    weights = {
        "c.weight": Quantised(full, np.array([0.5, 1 / 3, -2.0, 0.0])),
        "c.bias": Dense(pattern(4)),
        "l.weight": Quantised(few, np.array([0.1, 1e-30, 0.25])),
    }
    nodes = (
        Node("q", Quantise(0.0625, 3, -100, 100), ("x",)),
        Node("c", Conv2d(), ("q",), {"weight": "c.weight", "bias": "c.bias"}),
        Node("f", Flatten(), ("c",)),
        Node("l", Linear(), ("f",), {"weight": "l.weight"}),
        Node("s", Softmax(), ("l",)),
    )
    return Graph(Input("x", (1, 2, 4, 4)), nodes, "s", weights, name="quantised")


def newest():
    """Every layout, on a grid, on none, and with few distinct values."""
    uneven = np.array([-1.5, -0.3, 0.1, 0.7, 1.9], np.float32)
    filters = every(3, pattern(12, 5, 3, 3, period=11))
    weights = {
        "a.weight": Codebook.from_dense(filters),
        "a.bias": Dense(pattern(12) * np.float32(0.3)),
        "b.weight": Codebook((6, 12, 1, 1), np.arange(0, 72, 2), np.arange(36) % 5, uneven),
        "c.weight": Quantised((np.arange(54) * 37 % 255 - 127).reshape(6, 1, 3, 3), np.ones(6)),
        "d.weight": Dense(pattern(20, 6, period=5) + np.float32(0.1)),
        "e.weight": Sparse.from_dense(every(7, 1 / (3 + pattern(30, 20)))),
        "f.weight": Dense(1 / (3 + np.arange(60, dtype=np.float32)).reshape(2, 30)),
    }
    nodes = (
        Node("a", Conv2d(), ("x",), {"weight": "a.weight", "bias": "a.bias"}),
        Node("b", Conv2d(), ("a",), {"weight": "b.weight"}),
        Node("c", Conv2d(groups=6), ("b",), {"weight": "c.weight"}),
        Node("p", GlobalAvgPool(), ("c",)),
        Node("v", Flatten(), ("p",)),
        Node("d", Linear(), ("v",), {"weight": "d.weight"}),
        Node("e", Linear(), ("d",), {"weight": "e.weight"}),
        Node("f", Linear(), ("e",), {"weight": "f.weight"}),
    )
    return Graph(Input("x", (1, 5, 8, 8)), nodes, "f", weights, name="newest")


def chained():
    """Levels whose lowest bits are told by those before them, small and large."""
    graph, chains = newest(), []
    for shape, largest in (((12, 5, 3, 3), 9), ((6, 12, 1, 1), 1000)):
        halves = (np.arange(np.prod(shape)) * 7919 % 1013 * largest // 1013).reshape(shape[0], -1)
        levels = np.zeros(halves.shape, np.int64)
        for row, half in zip(levels, (halves - largest // 2) % largest, strict=True):
            state = 0
            for place, magnitude in enumerate(half.tolist()):
                row[place] = (2 * magnitude + state % 2) * (-1) ** (magnitude % 3)
                state = next_state(state, int(row[place]))
        chains.append(Codebook.from_dense((levels * np.float32(0.01)).reshape(shape)))
    weights = {**graph.weights, "a.weight": chains[0], "b.weight": chains[1]}
    return replace(graph, weights=weights, name="chained")


def long():
    """A list of floats that is too long to be mixed, and one of round numbers."""
    size = np.arange(4200, dtype=np.float32)
    weights = {
        "a.weight": Dense((1 / (size - 2100.5)).reshape(5, 840)),
        "b.weight": Dense(np.float32(2) ** (np.arange(50) % 40).reshape(10, 5)),
    }
    nodes = (
        Node("a", Linear(), ("x",), {"weight": "a.weight"}),
        Node("b", Linear(), ("a",), {"weight": "b.weight"}),
    )
    return Graph(Input("x", (1, 840)), nodes, "b", weights, name="long")


GRAPHS = {
    "v1-dense": dense,
    "v1-sparse": sparse,
    "v1-codebook": codebook,
    "v2-quantised": quantised,
    "v3-small": newest,
    "v3-fast": newest,
    "v4-small": newest,
    "v4-fast": newest,
    "v5-small": newest,
    "v5-fast": newest,
    "v5-small-chained": chained,
    "v6-small": newest,
    "v6-fast": newest,
    "v6-small-chained": chained,
    "v6-small-long": long,
}
NEWEST = [name for name in GRAPHS if name.startswith("v6-")]
ALL = pytest.mark.parametrize("name", list(GRAPHS))


@ALL
def test_old_files_are_read_bit_for_bit(name):
    assert load(FOLDER / f"{name}.goss") == GRAPHS[name]()


@pytest.mark.parametrize("name", NEWEST)
def test_the_encoder_still_writes_the_same(name):
    # The deflated header may differ between versions of zlib, its text may not.
    old = unpack((FOLDER / f"{name}.goss").read_bytes(), Limits())
    new = unpack(encode(GRAPHS[name](), name.split("-")[1]), Limits())
    assert (new.version, json.dumps(new.header)) == (old.version, json.dumps(old.header))
    assert name.startswith(f"v{old.version}-")
    assert [bytes(section) for section in new.sections] == [bytes(s) for s in old.sections]


def test_every_golden_file_is_tested():
    assert {path.stem for path in FOLDER.glob("*.goss")} == set(GRAPHS)


if __name__ == "__main__":
    for name in NEWEST:
        save(GRAPHS[name](), FOLDER / f"{name}.goss", profile=name.split("-")[1])
