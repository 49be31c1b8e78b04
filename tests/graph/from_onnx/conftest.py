"""Small ONNX models, and ONNX Runtime's answer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from gossamer.errors import UnsupportedOperatorError
from gossamer.graph import Graph, interpret
from gossamer.graph.from_onnx import from_onnx

Sizes = Sequence[int | str | None]


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> NodeProto:
    """Return a node; names of inputs are separated by spaces, "-" stands for none."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(kind, names, output.split(), name=output.split()[0], **attributes)


def make_model(
    nodes: Sequence[NodeProto],
    arrays: Mapping[str, np.ndarray] | None = None,
    sizes: Sizes | None = (2, 4, 6, 5),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    **parts: Any,
) -> ModelProto:
    """Return a model from "x" of `sizes` to "y"."""
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", kind, sizes)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(array, name) for name, array in (arrays or {}).items()],
        **parts,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run_onnx(model: ModelProto | str, x: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime makes of `x`, without its rewrites.

    One of them takes zeros around a max pool for pixels that never win.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def assert_reads(model: ModelProto, **options: Any) -> Graph:
    """Read a model whose input is as the graph's, and compare it with ONNX Runtime."""
    graph = from_onnx(model, **options)
    x = np.random.default_rng(0).standard_normal(graph.input.example).astype(np.float32)
    expected, got = run_onnx(model, x), interpret(graph, x)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * max(np.abs(expected).max(), 1))
    return graph


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def assert_refused() -> Callable[[ModelProto, str], None]:
    """Check that reading a model ends in an error that names the operator and its node."""

    def check(model: ModelProto, message: str) -> None:
        with pytest.raises(UnsupportedOperatorError, match=message) as caught:
            from_onnx(model)
        text = str(caught.value)
        assert "node '" in text
        assert "operator set" in text

    return check
