"""A quantised network: its form, its distance from the float one, and ONNX Runtime's view of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import GraphError, ShapeError
from gossamer.graph import Dense, Graph, Input, Node, Quantised, interpret
from gossamer.graph.from_onnx import from_onnx
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.graph.quantise import QuantiseOptions, quantise
from gossamer.graph.rewrite.pipeline import rewrite
from gossamer.graph.to_onnx import to_onnx
from tests.graph.from_onnx.conftest import run_onnx

OPTIONS = [
    QuantiseOptions("minmax"),
    QuantiseOptions("percentile", weight_bits=7),
    QuantiseOptions("mse", signed=True),
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: o.calibration)
def test_layers_read_levels_and_hold_integers(
    branching: Graph, images: np.ndarray, options: QuantiseOptions
) -> None:
    graph = quantise(branching, images, options)
    makers = {node.name: node.op for node in graph.nodes}
    for node in graph.nodes:
        if isinstance(node.op, Conv2d | Linear):
            assert isinstance(makers[node.inputs[0]], Quantise)
            weight = graph.weights[node.weights["weight"]]
            assert isinstance(weight, Quantised)
            assert weight.bits <= options.weight_bits
    assert graph.output == "fc"
    assert decode(encode(graph)) == graph


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: o.calibration)
def test_stays_close_to_the_float_network(
    branching: Graph, images: np.ndarray, options: QuantiseOptions
) -> None:
    expected = interpret(branching, images)
    got = interpret(quantise(branching, images, options), images)
    assert np.abs(got - expected).max() < 0.05 * np.abs(expected).max()
    coarse = interpret(quantise(branching, images, QuantiseOptions(weight_bits=2)), images)
    assert np.abs(coarse - expected).max() > np.abs(got - expected).max()


def test_one_layer_is_within_the_bound_of_its_roundings(rng: np.random.Generator) -> None:
    weight, x = rng.standard_normal((6, 20)), rng.standard_normal((50, 20)).astype(np.float32)
    node = Node("fc", Linear(), ("x",), {"weight": "w", "bias": "b"})
    weights = {"w": Dense(weight), "b": Dense(rng.standard_normal(6))}
    graph = Graph(Input("x", (1, 20)), (node,), "fc", weights)
    small = quantise(graph, x, QuantiseOptions("minmax"))
    step = small.nodes[0].op.scale  # type: ignore[attr-defined]
    layout = small.weights["w"]
    assert isinstance(layout, Quantised)
    bound = 0.51 * step * np.abs(weight).sum(axis=1) + layout.scales * (
        0.51 * (np.abs(x) + step).sum(axis=1, keepdims=True) + step
    )
    assert (np.abs(interpret(small, x) - interpret(graph, x)) <= bound).all()


def test_zeros_stay_zeros(branching: Graph, images: np.ndarray) -> None:
    array = branching.weights["a.weight"].to_dense().copy()
    array[::2] = 0
    weights = {**branching.weights, "a.weight": Dense(array)}
    graph = quantise(rewrite(branching.with_nodes(branching.nodes, weights)), images)
    assert graph.weights["a.weight"].density <= 0.5


def test_a_weight_that_two_layers_share_stays_shared(rng: np.random.Generator) -> None:
    nodes = (
        Node("a", Linear("relu"), ("x",), {"weight": "w"}),
        Node("b", Linear("relu"), ("a",), {"weight": "w"}),
        Node("c", Linear("relu"), ("b",), {"weight": "w", "scale": "s"}),
    )
    weights = {"w": Dense(rng.standard_normal((4, 4))), "s": Dense(np.arange(1.0, 5))}
    graph = Graph(Input("x", (1, 4)), nodes, "c", weights)
    small = quantise(graph, rng.standard_normal((9, 4)))
    names = [node.weights["weight"] for node in small.nodes if isinstance(node.op, Linear)]
    assert names == ["w", "w", "w_2"]


def test_rewrites_keep_levels_and_integers(branching: Graph, images: np.ndarray) -> None:
    graph = quantise(branching, images)
    assert rewrite(graph) == graph


def test_what_cannot_be_quantised_is_named(branching: Graph, images: np.ndarray) -> None:
    with pytest.raises(GraphError, match="already"):
        quantise(quantise(branching, images), images)
    for wrong in (images[:0], images[0], images[:, :2]):
        with pytest.raises(ShapeError):
            quantise(branching, wrong)
    images[3, 0, 0, 0] = np.inf
    with pytest.raises(GraphError, match="value 'x': not finite"):
        quantise(branching, images)


def test_a_batch_that_is_fixed(branching: Graph, images: np.ndarray) -> None:
    fixed = Graph(Input("x", (3, 3, 8, 8), frozenset()), branching.nodes, "fc", branching.weights)
    assert len(quantise(fixed, images).nodes) > len(fixed.nodes)
    with pytest.raises(ShapeError, match="multiple of 3"):
        quantise(fixed, images[:4])


def test_onnx_runtime_computes_the_same(branching: Graph, images: np.ndarray) -> None:
    graph = quantise(branching, images)
    model = to_onnx(graph)
    back = from_onnx(model)
    assert [node.op for node in back.nodes] == [node.op for node in graph.nodes]
    expected = interpret(graph, images)
    np.testing.assert_allclose(interpret(back, images), expected, atol=1e-6)
    # A value in the middle between two levels may fall to either, which moves outputs a little.
    assert np.median(np.abs(run_onnx(model, images) - expected)) < 1e-5
    assert np.abs(run_onnx(model, images) - expected).max() < 0.02 * np.abs(expected).max()


def test_onnx_runtime_runs_it_in_integers(
    branching: Graph, images: np.ndarray, tmp_path: Path
) -> None:
    nodes = tuple(node for node in branching.nodes if node.name not in ("gate", "gated", "act"))
    nodes = tuple(
        Node(n.name, n.op, tuple("join" if i == "act" else i for i in n.inputs), n.weights)
        for n in nodes
    )
    plain = branching.with_nodes(nodes, branching.weights)
    model = to_onnx(quantise(plain, images))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    kinds = Counter(n.op_type for n in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert (kinds["QLinearConv"], kinds["QGemm"], kinds["QLinearAdd"]) == (4, 1, 1)
    assert not {"Conv", "Gemm", "Add", "Concat"} & {*kinds}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
