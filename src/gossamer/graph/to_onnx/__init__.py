"""Graph → ONNX, operator set 17. The onnx package is imported on use.

`writer` makes ONNX nodes of a graph's, `levels` those of what is quantised: pairs of QuantizeLinear
and DequantizeLinear around float operators, which engines recognise and run in integers.
"""

from gossamer.graph.to_onnx.model import IR_VERSION, OPERATOR_SET, RECORD_NOTE, save_onnx, to_onnx

__all__ = ["IR_VERSION", "OPERATOR_SET", "RECORD_NOTE", "save_onnx", "to_onnx"]
