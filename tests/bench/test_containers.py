import numpy as np
import onnx
import pytest

from gossamer.bench import containers
from gossamer.bench.containers import CONTAINERS, container_sizes, in_bytes
from gossamer.errors import UnknownNameError
from gossamer.graph import Codebook, Dense, Graph, Input, Node, Quantised
from gossamer.graph.ops import Linear


def graph_of(layout):
    node = Node("y", Linear(), ("x",), {"weight": "w"})
    return Graph(Input("x", (1, layout.shape[1])), (node,), "y", {"w": layout}, name="one")


@pytest.fixture
def steps():
    rng = np.random.default_rng(4)
    levels = np.where(rng.random((60, 50)) < 0.2, rng.integers(-9, 10, (60, 50)), 0)
    return levels.astype(np.float32) / 8


def test_sizes_follow_the_widths_of_numbers(steps):
    sizes = container_sizes(graph_of(Codebook.from_dense(steps)), list(CONTAINERS))
    assert 0 < sizes["safetensors-fp32"] - 4 * steps.size < 200
    assert 0 < sizes["safetensors-fp16"] - 2 * steps.size < 200
    small = sizes["onnx-int8-zstandard"]
    assert small is None or 0.2 * steps.size < small < steps.size


def test_a_codebook_on_a_step_is_exact_in_bytes(steps):
    layout = in_bytes(Codebook.from_dense(steps))
    assert isinstance(layout, Quantised)
    assert (layout.to_dense() == steps).all()
    assert len(set(layout.scales.tolist())) == 1


def test_a_codebook_of_any_values_is_rounded(steps):
    uneven = np.where(steps > 0, 0.1, np.where(steps < -0.5, -np.pi, 0))
    layout = in_bytes(Codebook.from_dense(uneven.astype(np.float32)))
    assert isinstance(layout, Quantised)
    assert np.abs(layout.to_dense() - uneven).max() <= np.pi / 127 / 2 * 1.001
    assert ((layout.integers == 0) == (uneven == 0)).all()


def test_floats_stay(steps):
    dense = Dense(steps)
    assert in_bytes(dense) is dense


def test_the_onnx_file_holds_int8(steps, monkeypatch):
    seen = []
    monkeypatch.setattr(containers, "zstandard_compress", lambda data: seen.append(data) or b"1")
    graph = graph_of(Codebook.from_dense(steps))
    assert container_sizes(graph, ["onnx-int8-zstandard"]) == {"onnx-int8-zstandard": 1}
    tensors = onnx.load_from_string(seen[0]).graph.initializer
    assert any(t.data_type == onnx.TensorProto.INT8 and t.dims == [60, 50] for t in tensors)


def test_what_is_not_installed_has_no_number(steps, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    assert container_sizes(graph_of(Codebook.from_dense(steps)), ["onnx-int8-zstandard"]) == {
        "onnx-int8-zstandard": None
    }
    with pytest.raises(UnknownNameError, match="zip"):
        container_sizes(graph_of(Dense(steps)), ["zip"])
