"""Operators that move nothing or only regroup axes: reshapes, transpositions, copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from gossamer.graph.from_onnx.axes import moved, new_shape, squeezed, unsqueezed
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.view import View, transposed
from gossamer.graph.ops import Shape


def _same(call: Call) -> Value:
    return call.view(integers=True)


def _dropout(call: Call) -> Value:
    training = call.constant(2)
    if training is not None and training.array.any():
        raise call.unsupported("is random", "export the model in evaluation mode")
    return call.view()


def _cast(call: Call) -> Value:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    if call.integer("to", 0) not in floats:
        raise call.unsupported("to a type that is not a float")
    return call.view()


@dataclass(frozen=True)
class Line:
    """Mark of an array whose entries, of a batch of one, stand in a row."""

    def __str__(self) -> str:
        return "an array without a batch"


def from_line(call: Call) -> Value | None:
    """Reshape what stood in a row, picked in order; None if a node does not do that.

    So PyTorch's exporter writes an array whose strides it changes.
    """
    line, index = call.input(0), call.needed(1).array
    if not isinstance(line, View) or not isinstance(line.mark, Line):
        return None
    view = replace(line, mark=None)
    entries = prod(call.sizes(view))
    if index.ndim < 2 or index.shape[0] != 1 or index.size != entries:
        return None
    is_in_order = np.array_equal(index.ravel(), np.arange(entries))
    return call.reshape(view, index.shape) if is_in_order else None


def _reshaped(shape: Callable[[Call, Shape], Shape]) -> Callable[[Call], Value]:
    def handler(call: Call) -> Value:
        view = call.view(integers=True)
        sizes = call.sizes(view)
        target = shape(call, sizes)
        if call.kind == "Reshape" and len(target) == 1 < len(sizes) and sizes[0] == 1:
            return replace(view, mark=Line())
        return call.reshape(view, target)

    return handler


def _transpose(call: Call) -> Value:
    view = call.view(integers=True)
    axes = moved(call, len(view.axes))
    if axes[0] != 0:
        raise call.unsupported("moves the batch")
    return transposed(view, axes)


@dataclass(frozen=True)
class Repeated:
    """Mark of an array of one number a channel, repeated over a picture: a factor spelt out.

    Args:
        sizes: of the array.
    """

    sizes: Shape

    def __str__(self) -> str:
        return "repeated entries"


def _expand(call: Call) -> Value:
    view, wanted = call.view(), call.given_ints("shape", 1) or []
    sizes = call.sizes(view)
    made = np.broadcast_shapes(sizes, tuple(wanted))
    if made == sizes:
        return view
    if len(made) == len(sizes) == 4 and view.axes[2:] == "11" and made[:2] == sizes[:2]:
        return replace(view, mark=Repeated(made))
    raise call.unsupported("repeats entries")


def _shape(call: Call) -> Value:
    """Return the sizes at the example: what is made of them is checked at other sizes later."""
    sizes = call.sizes(call.view(integers=True))[
        call.integer("start", 0) : call.attributes.get("end")
    ]
    return Constant(np.array(sizes, np.int64))


def _constant(call: Call) -> Value:
    attributes, name = call.attributes, call.node.output[0]
    for key in ("value", "sparse_value"):
        if key in attributes:
            return Constant(call.builder.source.tensors.read(name, attributes[key]))
    for key, dtype in (("float", np.float32), ("int", np.int64)):
        for key_of in (f"value_{key}", f"value_{key}s"):
            if key_of in attributes:
                return Constant(np.array(attributes[key_of], dtype))
    raise call.unsupported("is not a tensor of numbers")


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "Identity": _same,
    "Dropout": _dropout,
    "Cast": _cast,
    "Reshape": _reshaped(new_shape),
    "Flatten": _reshaped(new_shape),
    "Squeeze": _reshaped(squeezed),
    "Unsqueeze": _reshaped(unsqueezed),
    "Transpose": _transpose,
    "Expand": _expand,
    "Shape": _shape,
    "Constant": _constant,
}
