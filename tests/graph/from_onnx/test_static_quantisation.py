"""Models that ONNX Runtime's own tool quantised, read and interpreted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from gossamer.graph import Graph, Quantised, interpret
from gossamer.graph.from_onnx import load_onnx
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.graph.to_onnx import save_onnx
from tests.graph.from_onnx.conftest import run_onnx
from tests.graph.quantise.conftest import branching_graph


class Images(CalibrationDataReader):
    """Gives the tool one batch."""

    def __init__(self, x: np.ndarray) -> None:
        self.left = [{"x": x}]

    def get_next(self) -> Any:
        return self.left.pop() if self.left else None


def quantised(graph: Graph, x: np.ndarray, folder: Path, **options: Any) -> Path:
    """Return the file that the tool makes of a graph."""
    plain, prepared, made = (folder / f"{name}.onnx" for name in ("plain", "prepared", "made"))
    save_onnx(graph, plain)
    with warnings.catch_warnings(action="ignore"):
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(prepared, made, Images(x), quant_format=QuantFormat.QDQ, **options)
    return made


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"per_channel": True, "activation_type": QuantType.QUInt8, "reduce_range": True},
        {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    ],
    ids=["int8", "per channel", "uint8"],
)
def test_equals_onnx_runtime_within_a_step(options: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((16, 3, 8, 8)).astype(np.float32)
    path = quantised(branching_graph(), x, tmp_path, **options)
    graph = load_onnx(path)
    layers = [node for node in graph.nodes if isinstance(node.op, Conv2d | Linear)]
    steps = [node.op.scale for node in graph.nodes if isinstance(node.op, Quantise)]
    kinds = {type(graph.weights[node.weights["weight"]]) for node in layers}
    assert len(steps) >= len(layers) == 6
    if "weight_type" not in options:  # what has a zero point need not fit bytes
        assert kinds == {Quantised}
    # A value in the middle between two levels may fall to either in any layer.
    difference = np.abs(interpret(graph, x) - run_onnx(str(path), x))
    assert np.quantile(difference, 0.9) < 1e-5
    assert difference.max() < 2.01 * steps[-1]


def test_names_are_those_of_the_float_network(tmp_path: Path) -> None:
    plain, x = branching_graph(), np.ones((1, 3, 8, 8), np.float32)
    graph = load_onnx(quantised(plain, x, tmp_path))
    layers = {node.name for node in plain.nodes if isinstance(node.op, Conv2d | Linear)}
    assert layers <= {node.name for node in graph.nodes}
    assert {"stem.weight", "fc.weight"} <= {*graph.weights}
    assert onnx.load(tmp_path / "made.onnx").graph.name == graph.name
