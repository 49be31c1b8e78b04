import numpy as np
import pytest

from gossamer.bench.suite.network import DATA_FOLDER, build_graph, pruned_weights
from gossamer.bench.suite.row import Row
from gossamer.errors import DataError
from gossamer.graph import interpret
from gossamer.graph.ops import Conv2d
from gossamer.nets.create import create_model


def layer_densities(graph):
    """Return the density of each convolution and linear weight, in order."""
    names = [node.weights["weight"] for node in graph.nodes if "weight" in node.weights]
    return [graph.weights[name].density for name in names]


def test_all_layers_but_the_first_have_zeros():
    first, *rest = layer_densities(build_graph(Row("digits-plain", 0.9)))
    assert first == 1
    assert len(rest) > 3
    assert max(rest) < 0.2  # more than a tenth where columns of dead channels are gone


def test_a_dense_row_has_no_zeros():
    assert set(layer_densities(build_graph(Row("digits-plain")))) == {1.0}


def test_a_row_may_have_larger_pictures():
    graph = build_graph(Row("digits-plain", size=24))
    assert graph.input.example[2:] == (24, 24)


def test_the_graph_has_the_row_s_name_and_is_the_same_every_time():
    row = Row("digits-plain", 0.9)
    assert build_graph(row) == build_graph(row)
    assert build_graph(row).name == row.name


@pytest.mark.parametrize("row", [Row("mobilenet-v1-0.25", 0.9), Row("resnet-20-cifar", 0.95)])
def test_activations_stay_of_a_sane_size(row):
    graph = build_graph(row)
    x = np.random.default_rng(0).standard_normal(graph.input.example).astype(np.float32)
    values = {}
    interpret(graph, x, values=values)
    sizes = [
        float(np.abs(values[node.name]).max())
        for node in graph.nodes
        if isinstance(node.op, Conv2d)
    ]
    assert max(sizes) < 1e3
    assert min(sizes) > 1e-2


def test_depthwise_layers_stay_dense():
    model = create_model("mobilenet-v2-cifar")
    everything = pruned_weights(model, "all")
    pointwise = pruned_weights(model, "pointwise")
    assert all(weight.ndim == 2 or weight.shape[1] > 1 for weight in everything.values())
    assert all(weight.shape[2:] == (1, 1) for weight in pointwise.values())
    linear = {name for name, weight in everything.items() if weight.ndim == 2}
    assert set(everything) - set(pointwise) == linear


def test_pointwise_layers_of_interleaved_groups_are_pruned():
    shapes = {tuple(w.shape) for w in pruned_weights(create_model("igcv3-d"), "pointwise").values()}
    assert len(shapes) > 5
    assert all(shape[1] > 1 for shape in shapes)


def test_trained_weights_that_are_not_there_are_named(monkeypatch, tmp_path):
    row = Row("resnet-20-cifar", 0.9, allocation="global", weights="absent.th")
    monkeypatch.delenv(DATA_FOLDER, raising=False)
    with pytest.raises(DataError, match=DATA_FOLDER):
        build_graph(row)
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    with pytest.raises(DataError, match=r"absent\.th"):
        build_graph(row)
