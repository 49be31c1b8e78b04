"""Files made by somebody who knows the format: each asks for something that must be refused."""

import tracemalloc
import zlib

import numpy as np
import pytest

from gossamer.codec.coder import CODERS
from gossamer.codec.container import pack as pack_version
from gossamer.codec.container import pack_stored
from gossamer.codec.cursor import uvarint
from gossamer.codec.read import decode
from gossamer.codec.section import write_stream
from gossamer.errors import FormatError, LimitExceededError

MEBIBYTE = 2**20


def pack(header, sections, version=1):
    return pack_version(header, sections, version)


def linear(shape, layout="sparse", **changes):
    node = {"name": "y", "op": {"kind": "linear"}, "weights": ["weight"]}
    header = {"name": "n", "input": ["x", [1, shape[-1]], [0]], "nodes": [node]}
    return {**header, "shapes": [list(shape)], "sections": [[layout, [0]]], **changes}


def chain(*ops, sizes=(1, 4, 8, 8)):
    nodes = [{"name": f"n{index}", "op": op} for index, op in enumerate(ops)]
    return {
        "name": "n",
        "input": ["x", list(sizes), [0]],
        "nodes": nodes,
        "shapes": [],
        "sections": [],
    }


def floats(count):
    return b"".join(write_stream(np.zeros(count, np.uint8), 256) for _ in range(4))


def constant(symbol, alphabet):
    """A stream of one symbol, which says nothing of how often."""
    payload = CODERS["huffman"].encode(np.array([symbol]), alphabet)
    return uvarint(8 * len(payload) + list(CODERS).index("huffman")) + payload


def refused(data, error=FormatError, limits=None):
    """Check that a file is refused with a message, in less than 64 MiB."""
    tracemalloc.start()
    with pytest.raises(error) as caught:
        decode(data, limits)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 64 * MEBIBYTE
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def test_the_plain_file_is_accepted():
    data = pack(linear((2, 3)), [uvarint(0) + floats(0)])
    assert decode(data).weights["y.weight"].shape == (2, 3)


@pytest.mark.parametrize("shape", [(10**9, 1), (1, 10**9), (2**31, 2**31), (1, 2**32 - 1)])
def test_a_huge_tensor_without_entries(shape):
    message = refused(pack(linear(shape), [uvarint(0) + floats(0)]), LimitExceededError)
    assert "too many entries" in message


def test_a_large_tensor_within_the_limits_takes_only_what_is_stored():
    data = pack(linear((2**12, 2**12)), [uvarint(0) + floats(0)])
    tracemalloc.start()
    assert decode(data).weights["y.weight"].size == 2**24
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < MEBIBYTE


def quantised(shape, bits=8, version=2, scale=b""):
    """A quantised tensor without stored entries."""
    scales = scale or floats(shape[0])
    return pack(linear(shape, "quantised"), [bytes([bits]) + scales + bytes(2)], version)


def test_quantised_tensors_are_checked():
    assert decode(quantised((2, 3))).weights["y.weight"].bits == 1
    refused(quantised((2, 3), bits=0))
    refused(quantised((2, 3), bits=9))
    refused(quantised((2, 3), version=1))
    refused(pack(linear((2, 3)), [uvarint(0) + floats(0)], version=2))
    infinite = b"".join(constant(byte, 256) for byte in (0, 0, 0x80, 0x7F))
    refused(quantised((2, 3), scale=infinite))
    refused(quantised((2**13, 2**13)), LimitExceededError)
    refused(quantised((2**28, 1), scale=constant(0, 256) * 4), LimitExceededError)


def test_one_repeated_symbol_cannot_fill_memory():
    stream = constant(7, 256)
    refused(pack(linear((2**12, 2**12), "dense"), [stream * 4]), LimitExceededError)
    gaps = bytes([1]) + uvarint(0) + constant(0, 2)
    refused(pack(linear((2**12, 2**12)), [uvarint(2**24) + gaps + stream * 4]), LimitExceededError)


def test_many_tensors_share_one_budget():
    nodes = [
        {"name": f"y{i}", "op": {"kind": "linear"}, "inputs": ["x"], "weights": ["weight"]}
        for i in range(50)
    ]
    header = linear((600, 600), nodes=nodes, shapes=[[600, 600]] * 50)
    header["sections"] = [["dense", [i]] for i in range(50)]
    refused(pack(header, [constant(7, 256) * 4] * 50), LimitExceededError)


def test_fillers_without_end():
    for fillers in (2**24, 2**62):
        gaps = bytes([1]) + uvarint(fillers) + constant(1, 2)
        refused(pack(linear((2**12, 2**12)), [uvarint(1) + gaps + floats(1)]))


def test_a_deflate_bomb():
    text = b'{"name":"' + b"a" * 2**26 + b'"}'
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    stored = squeeze.compress(text) + squeeze.flush()
    for stated in (len(text), 100, 2**22):
        refused(pack_stored(stored, stated, [], 1))


def test_deep_nesting():
    text = b'{"name":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    refused(pack_stored(squeeze.compress(text) + squeeze.flush(), len(text), [], 1))


def test_a_header_of_many_small_values():
    refused(pack({"name": [[]] * 200_000}, []))
    refused(pack({"name": [10**4000] * 300}, []))


def test_a_shuffle_of_many_channels():
    op = {"kind": "channel_permute", "channels": 2**24, "shuffle": 2}
    refused(pack(chain(op), []), LimitExceededError)
    refused(pack(chain(*[op | {"channels": 2**16}] * 20), []), LimitExceededError)


def test_doubling_channels():
    nodes, last = [], "x"
    for index in range(5000):
        nodes.append({"name": f"n{index}", "op": {"kind": "concat"}, "inputs": [last, last]})
        last = f"n{index}"
    refused(pack(chain() | {"nodes": nodes}, []))
    refused(pack(chain() | {"nodes": nodes[:40]}, []), LimitExceededError)


def test_too_many_nodes():
    refused(pack(chain(*[{"kind": "flatten"}] * 9000), []), LimitExceededError)


POOL = {"kind": "max_pool2d", "kernel": [2, 2], "stride": [2, 2]}


@pytest.mark.parametrize(
    "op",
    [
        POOL | {"stride": [0, 1]},
        POOL | {"stride": [-1, 1]},
        POOL | {"stride": [1]},
        POOL | {"stride": [1, 1e9]},
        POOL | {"stride": [1, 2**40]},
        POOL | {"kernel": [0, 2]},
        POOL | {"kernel": [9, 9]},
        POOL | {"dilation": [0, 1]},
        POOL | {"padding": [2**24, 2**24, 2**24, 2**24]},
        POOL | {"padding": [-1, 0, 0, 0]},
        POOL | {"ceil_mode": 1},
        POOL | {"shape": [1]},
        {"kind": "avg_pool2d", "kernel": [0, 1], "stride": [1, 1]},
        {"kind": "activation", "function": "exec"},
        {"kind": "activation"},
        {"kind": "channel_permute", "order": [0, 0, 1, 2]},
        {"kind": "channel_permute", "channels": 4, "shuffle": 0},
        {"kind": "channel_permute", "channels": 4, "shuffle": 3},
        {"kind": "channel_permute", "channels": -4, "shuffle": 2},
        {"kind": "conv2d"},
        {"kind": "Conv2d"},
        {"kind": ["conv2d"]},
        {},
    ],
    ids=str,
)
def test_attributes_of_operators(op):
    refused(pack(chain(op), []))


@pytest.mark.parametrize("groups", [0, 3, 2**24])
def test_groups_that_do_not_fit(groups):
    node = {"name": "c", "op": {"kind": "conv2d", "groups": groups}, "weights": ["weight"]}
    header = linear((4, 4, 1, 1), "dense", nodes=[node], input=["x", [1, 4, 8, 8], [0]])
    refused(pack(header, [floats(16)]))


def test_values_larger_than_the_limit():
    refused(
        pack(chain({"kind": "flatten"}, sizes=(1, 2**16, 2**16, 2**16)), []), LimitExceededError
    )


@pytest.mark.parametrize(
    "sections",
    [
        [],
        [["dense", [0]], ["dense", [0]]],
        [["dense", [1]]],
        [["dense", [-1]]],
        [["dense", [False]]],
        [["dense", []]],
        [["sparse", [0, 0]]],
        [["pickle", [0]]],
        [["dense", [0], 1]],
        ["dense"],
        {"dense": [0]},
        None,
    ],
    ids=str,
)
def test_tensors_lie_in_exactly_one_section(sections):
    refused(pack(linear((1, 1), sections=sections), [floats(1)]))


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"output": "y"},
        {"output": "nowhere"},
        {"record": {"height": "8"}},
        {
            "nodes": [
                {"name": "y", "op": {"kind": "linear"}, "weights": ["weight"], "inputs": ["x"]}
            ]
        },
        {"nodes": [{"name": "y", "op": {"kind": "linear"}, "weights": ["weight", "weight"]}]},
        {"nodes": [{"name": "y", "op": {"kind": "linear"}, "weights": ["kernel"]}]},
        {"nodes": [{"name": "x", "op": {"kind": "linear"}, "weights": ["weight"]}]},
    ],
    ids=str,
)
def test_a_header_says_nothing_but_the_network(change):
    refused(pack(linear((1, 1), "dense") | change, [floats(1)]))


def test_a_record_that_is_not_canonical():
    good = {
        "height": 8,
        "width": 8,
        "channel_order": "L",
        "scale": 1.0,
        "mean": [0.0],
        "deviation": [1.0],
        "resize": "crop",
        "class_names": [],
    }
    data = pack(linear((1, 1), "dense", record=good), [floats(1)])
    assert decode(data).record is not None
    for change in (
        *({"scale": "nan"}, {"height": "8"}, {"width": 8.5}, {"mean": "0"}, {"deviation": [0.0]}),
        *({"class_names": "ab"}, {"extra": 1}, {"channel_order": 3}),
    ):
        refused(pack(linear((1, 1), "dense", record=good | change), [floats(1)]))


def test_sections_with_bytes_left_over_or_too_few():
    for section in (floats(1) + b"\0", floats(1)[:-1], b"", floats(1) * 2):
        refused(pack(linear((1, 1), "dense"), [section]))


def test_a_code_without_a_centroid():
    codes = write_stream(np.array([0, 3]), 4)
    positions = bytes([1]) + uvarint(0) + write_stream(np.array([0, 0]), 2)
    section = uvarint(3) + uvarint(2) + floats(3) + positions + codes
    refused(pack(linear((1, 2), "codebook"), [section]))
    refused(pack(linear((1, 2), "codebook"), [uvarint(0) + uvarint(2) + positions + codes]))
