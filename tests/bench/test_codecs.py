import lzma
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gossamer.bench import codecs
from gossamer.bench.codecs import RIVALS, rival_bytes, rival_sizes
from gossamer.bench.coding import floats_of, integers_of, measure_coding
from gossamer.codec.files import save
from gossamer.counts import entropy_bits
from gossamer.errors import GraphError, UnknownNameError
from gossamer.graph import Codebook, Dense, Graph, Input, Node, Quantised, Sparse
from gossamer.graph.ops import Linear


def tensors(seed=2):
    rng = np.random.default_rng(seed)
    shapes = ((40, 30), (20, 8, 3, 3))
    return [
        np.where(rng.random(shape) < 0.3, rng.integers(-7, 8, shape), 0).astype(np.int64)
        for shape in shapes
    ]


def test_rivals_come_near_the_entropy_and_not_below_what_is_possible():
    values = tensors()
    bound = sum(entropy_bits(tensor) for tensor in values) / 8
    floats = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    for name in RIVALS:
        sizes = rival_bytes(name, values, floats)
        assert sizes is None or 0.9 * bound < sizes[0] < 1.5 * bound + 200
        assert sizes is None or 2 * 500 < sizes[1] < 4 * 500 + 500


def test_floats_are_what_integers_are_multiplied_with():
    values = tensors()[0]
    assert floats_of(Quantised(values, np.ones(40))).tolist() == [1] * 40
    assert floats_of(Codebook.from_dense(values.astype(np.float32) / 4)).tolist() == [0.25]
    uneven = np.array([[0.1, 0.7312, -np.pi]], np.float32)
    assert floats_of(Codebook.from_dense(uneven)).size == 3
    assert floats_of(Dense(uneven)).size == 3


def test_huffman_takes_gaps_where_they_are_smaller():
    sparse = np.zeros((50, 50), np.int64)
    sparse[::7, ::9] = 3
    assert codecs.deep_compression_bytes([sparse]) < 2500 / 8 / 2
    assert codecs.deep_compression_bytes([np.zeros((3, 3), np.int64)]) == 0


def test_lzma_takes_a_bitmap_where_that_is_smaller():
    values = tensors()
    flat = np.concatenate([tensor.ravel() for tensor in values])
    whole = len(lzma.compress(flat.astype(np.int8).tobytes(), preset=9 | lzma.PRESET_EXTREME))
    assert codecs.LZMA.integers(values) <= whole


def test_what_is_not_installed_has_no_number(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "brotli", None)
    assert rival_bytes("brotli", tensors(), np.zeros(0, np.float32)) is None
    with pytest.raises(UnknownNameError, match="brotli"):
        rival_bytes("brotly", tensors(), np.zeros(0, np.float32))


def test_nncodec_keeps_every_bit_of_floats_by_the_smallest_rival(monkeypatch):
    floats = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    coded: list[np.ndarray] = []
    encoder = SimpleNamespace(
        initCtxModels=lambda *_: None,
        encodeLayer=lambda levels, *_: coded.append(levels),
        finish=lambda: bytes(100),
    )
    coder = SimpleNamespace(Encoder=lambda: encoder, HdspMode=SimpleNamespace(AlwaysOff=None))
    monkeypatch.setitem(sys.modules, "nncodec", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "nncodec.extensions", SimpleNamespace(deepCABAC=coder))
    sizes = rival_sizes(["lzma", "nncodec", "huffman"], tensors(), floats)
    assert list(sizes) == ["lzma", "nncodec", "huffman"]
    assert sizes["nncodec"] is not None
    assert sizes["nncodec"] == (200, min(size[1] for size in sizes.values() if size))
    # Signs and exponents can be told from what nncodec codes.
    assert sizes["nncodec"][1] == 100 + -(-500 * 23 // 8)
    largest = np.frexp(np.abs(floats).max())[1]
    (levels,) = coded[-1]
    assert (np.sign(levels) == np.sign(floats)).all()
    assert (largest + 1 - np.abs(levels) == np.frexp(floats)[1]).all()


def test_integers_are_those_of_the_layouts():
    values = tensors()[0]
    assert (integers_of(Quantised(values, np.ones(40))) == values).all()
    book = integers_of(Codebook.from_dense(values.astype(np.float32) / 4))
    assert (book == values).all()
    assert integers_of(Dense(values)) is None
    assert integers_of(Sparse.from_dense(values.astype(np.float32))) is None


def file_of(layout, folder):
    node = Node("y", Linear(), ("x",), {"weight": "w"})
    graph = Graph(Input("x", (1, layout.shape[1])), (node,), "y", {"w": layout}, name="one")
    return save(graph, folder / "one.goss")


def test_a_network_is_measured(tmp_path):
    values = tensors()[0]
    path = file_of(Codebook.from_dense(values.astype(np.float32)), tmp_path)
    record = measure_coding(path, ["huffman"], ["safetensors-fp32"])
    assert 4 * 1200 < record.container_bytes["safetensors-fp32"] < 4 * 1200 + 200
    assert (record.name, record.weights, record.nonzeros) == (
        "one",
        1200,
        np.count_nonzero(values),
    )
    assert record.file_bytes["small"] == path.stat().st_size
    assert set(record.sizes_bytes) == set(record.file_bytes) == {"small", "fast", "huffman"}
    assert record.floats == 1
    assert record.file_bytes["huffman"] > record.sizes_bytes["huffman"]
    assert all(0 < size < 1000 for size in record.sizes_bytes.values())
    assert min(record.decode_ms.values()) > 0


def test_a_network_of_floats_is_refused(tmp_path):
    with pytest.raises(GraphError, match="codebook"):
        measure_coding(file_of(Dense(np.ones((2, 2)) / 3), tmp_path), [])
