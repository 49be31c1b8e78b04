import numpy as np
import pytest

from gossamer.codec.files import load, save
from gossamer.codec.inspect import inspect_bytes, inspect_file
from gossamer.codec.versions import NEWEST
from gossamer.codec.write import encode
from gossamer.errors import FormatError
from gossamer.graph import Codebook, Dense, Sparse
from gossamer.graph.to_onnx import save_onnx


def test_every_byte_is_accounted_for(small_graph, tmp_path):
    path = save(small_graph, tmp_path / "net.goss", profile="fast")
    report = inspect_file(path)
    tensors = sum(tensor.size_bytes for tensor in report.tensors)
    assert report.size_bytes == path.stat().st_size
    assert report.header_bytes + report.frame_bytes + tensors == report.size_bytes
    for tensor in report.tensors:
        streams = sum(stream.size_bytes for stream in tensor.streams)
        assert tensor.shared or 0 <= tensor.size_bytes - streams <= 8
    assert [tensor.name for tensor in report.tensors if tensor.shared] == [
        "b",
        "n.scale",
        "out.weight",
        "out.bias",
    ]


def test_an_onnx_file_is_seen_as_the_goss_file_of_its_network(small_graph, tmp_path):
    onnx = save_onnx(small_graph, tmp_path / "net.onnx")
    goss = save(load(onnx), tmp_path / "net.goss")
    assert inspect_file(onnx) == inspect_file(goss)


def test_tensors_are_described(small_graph):
    report = inspect_bytes(encode(small_graph, "fast"))
    assert (report.name, report.version, report.profile) == ("small", NEWEST, "fast")
    tensors = {tensor.name: tensor for tensor in report.tensors}
    assert list(tensors) == ["c1.weight", "b", "w", "n.scale", "out.weight", "out.bias"]
    shared = tensors["w"]
    layout = small_graph.weights["w"]
    assert (shared.layout, shared.shape, shared.density) == (
        "codebook",
        (8, 8, 1, 1),
        layout.density,
    )
    assert [stream.label for stream in shared.streams[-2:]] == ["gaps", "codes"]
    assert set(shared.coders) <= {"raw", "huffman", "ans"}
    assert shared.bits_per_weight == 8 * shared.size_bytes / 64


@pytest.mark.parametrize("layout", [Sparse, Codebook])
def test_the_bound_and_the_bytes_agree(graph_around, rng, layout):
    array = rng.integers(-3, 4, (100, 100)).astype(np.float32) * (rng.random((100, 100)) < 0.1)
    (tensor,) = inspect_bytes(encode(graph_around(layout.from_dense(array)))).tensors
    assert 0.95 * tensor.entropy_bits <= 8 * tensor.size_bytes <= 1.15 * tensor.entropy_bits + 2000


def test_dense_bound_counts_each_value_as_a_symbol(graph_around):
    (tensor,) = inspect_bytes(
        encode(graph_around(Dense(np.array([[0.0, -0.0, 1.0, 1.0]]))))
    ).tensors
    assert tensor.entropy_bits == 4 * 1.5


def test_an_empty_network_has_no_bits_per_weight(graph_around, small_graph):
    from gossamer.graph import Graph

    report = inspect_bytes(encode(Graph(small_graph.input, (), "x", {})))
    assert (report.tensors, report.bits_per_weight) == ((), 0.0)


def test_what_is_not_a_file_is_named(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        inspect_file(tmp_path / "absent.goss")
