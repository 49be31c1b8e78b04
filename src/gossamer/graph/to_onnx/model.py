"""The ONNX model of a graph, checked, and in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gossamer.errors import MissingDependencyError
from gossamer.graph.graph import Graph
from gossamer.graph.to_onnx.writer import Writer
from gossamer.graph.verify import verify
from gossamer.replacing import replacing

if TYPE_CHECKING:
    from onnx import ModelProto

OPERATOR_SET = 17
IR_VERSION = 8
RECORD_NOTE = "gossamer.record"
"""Key under which the model says how a picture becomes its input."""


def to_onnx(graph: Graph) -> ModelProto:
    """Return the network as an ONNX model of operator set 17.

    Weights are dense float32, quantised ones int8 that are dequantised; a `quantise` becomes a pair
    of QuantizeLinear and DequantizeLinear, so that engines can run the operators between two of
    them in integers. Axes that are free in the graph are symbolic in the model; its metadata holds
    the input record. A scale that the graph keeps apart is multiplied into its weight, in float32.
    The model has passed `onnx.checker`.

    Raises:
        MissingDependencyError: without the onnx package.
        GraphError: if the graph is not well formed.
    """
    onnx = _onnx()
    writer = Writer(onnx, verify(graph))
    for node in graph.nodes:
        writer.write(node)
    if graph.output == graph.input.name:
        writer.add("Identity", [graph.input.name], "output")
    model = _assemble(onnx, writer)
    onnx.checker.check_model(model, full_check=True)
    return model


def save_onnx(graph: Graph, path: str | Path) -> Path:
    """Write the network as an ONNX file, whole or not at all, and return its path.

    Raises:
        MissingDependencyError: without the onnx package.
    """
    target = Path(path)
    data = to_onnx(graph).SerializeToString()
    with replacing(target) as partial:
        partial.write_bytes(data)
    return target


def _onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise MissingDependencyError(
            "writing ONNX needs the onnx package", hint="pip install 'gossamer[onnx]'"
        ) from None
    return onnx


def _assemble(onnx: Any, writer: Writer) -> ModelProto:
    """Return the model of everything written."""
    helper, float32, graph = onnx.helper, onnx.TensorProto.FLOAT, writer.graph
    output = "output" if graph.output == graph.input.name else graph.output
    sizes = [
        "NCHW"[axis] if axis in graph.input.free else size
        for axis, size in enumerate(graph.input.example)
    ]
    shape = writer.shapes[graph.output]
    free_batch = "N" if 0 in graph.input.free else shape[0]
    out_sizes = [free_batch, *([None] * (len(shape) - 1))]
    proto = helper.make_graph(
        writer.nodes,
        graph.name or "network",
        [helper.make_tensor_value_info(graph.input.name, float32, sizes)],
        [helper.make_tensor_value_info(output, float32, out_sizes)],
        [onnx.numpy_helper.from_array(a, name) for name, a in writer.arrays.items()],
    )
    model = helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid("", OPERATOR_SET)],
        ir_version=IR_VERSION,
        producer_name="gossamer",
    )
    if graph.record is not None:
        helper.set_model_props(model, {RECORD_NOTE: json.dumps(graph.record.to_dict())})
    return model
