"""ONNX file → Graph: the only place in `gossamer.graph` that reads ONNX.

`source` takes the file apart and trusts nothing in it, `convert` walks its nodes in order, and each
operator's handler, found by its name in `operators.HANDLERS`, adds nodes to a `builder.Builder`.
Reshapes and transpositions stay `view.View`s until they cancel or mean something. What has no
handler is an error that names the operator and its place in the file; nothing is dropped.
"""

from gossamer.graph.from_onnx.limits import OnnxLimits
from gossamer.graph.from_onnx.load import from_onnx, load_onnx

__all__ = ["OnnxLimits", "from_onnx", "load_onnx"]
