"""Values rounded to levels: QuantizeLinear and the DequantizeLinear behind it.

In the graph a value stays a real number, so that the pair is one operator: `quantise`. What stands
between the two in the file, integers, is the same value here, marked with the levels it is on.
Constants that are dequantised keep their integers, for a weight to be held by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gossamer.graph.from_onnx.axes import axis_of
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant, Grid
from gossamer.graph.from_onnx.view import View, is_plain
from gossamer.graph.ops import Quantise

_LEVELS = {"uint8": (0, 255), "int8": (-128, 127), "uint4": (0, 15), "int4": (-8, 7)}


def _quantise(call: Call) -> Value:
    value = call.input(0)
    if isinstance(value, Constant):
        return _quantised_constant(call, value)
    view = call.view()
    if is_plain(view, 2):  # a picture that is about to be flattened
        view = call.plain(call.settled(view))
    return rounded(call, view, 1)


def rounded(call: Call, view: View, index: int) -> View:
    """Return a view rounded to levels, as integers; input `index` is their scale."""
    op = _levels(call, index)
    maker = call.builder.makers.get(view.source)
    if maker is not None and maker.op == op:  # rounding twice is rounding once
        return replace(view, levels=op)
    # Zero is a level, so that zeros around the picture can stay outside.
    return replace(view, source=call.add(op, view.source), levels=op)


def _dequantise(call: Call) -> Value:
    if isinstance(call.input(0), Constant):
        return real_constant(call, 0, call.integer("axis", 1))
    return real(call, 0)


def real(call: Call, index: int) -> View:
    """Return a view of input `index`, integers whose scale and zero point are the two behind it."""
    view = call.view(index, integers=True)
    if view.levels is None:
        raise call.unsupported("has an input that no QuantizeLinear made")
    op = _levels(call, index + 1)
    if (op.scale, op.zero_point) != (view.levels.scale, view.levels.zero_point):
        raise call.unsupported("has another scale or zero point than its QuantizeLinear")
    return replace(view, levels=None)


def clipped(call: Call, view: View, low: float | None, high: float | None) -> View:
    """Return a view of integers that keeps only the levels low…high."""
    op, maker = view.levels, call.builder.makers[view.source]
    assert op is not None
    low, high = (
        bound if given is None else int(given) for bound, given in ((op.low, low), (op.high, high))
    )
    op = replace(op, low=max(op.low, low), high=min(op.high, high))
    # Rounding to fewer levels is the same before and after rounding to all of them.
    source = maker.inputs[0] if isinstance(maker.op, Quantise) else view.source
    return replace(view, source=call.add(op, source), levels=op)


def _zero_point(call: Call, index: int) -> np.ndarray:
    """Return input `index`, a zero point, whose type is that of the levels."""
    given = call.constant(index)
    if given is not None:
        return given.array
    if call.integer("output_dtype", 0):
        raise call.unsupported("names its type but no zero point")
    return np.zeros((), np.uint8)


def _levels(call: Call, index: int) -> Quantise:
    """Return the rounding that input `index`, one scale for a whole value, and the next mean."""
    scale, zero = call.needed(index).array, _zero_point(call, index + 1)
    if zero.dtype.name not in _LEVELS:
        raise call.unsupported(f"to {zero.dtype.name} is not in the graph: eight bits at most")
    if scale.size != 1 or zero.size != 1:
        raise call.unsupported("of values is in the graph with one scale for all channels only")
    low, high = _LEVELS[zero.dtype.name]
    return Quantise(float(np.float32(scale.item())), int(zero.item()), low, high)


def _quantised_constant(call: Call, value: Constant) -> Constant:
    """Round a constant to integers, as files with pseudo-quantised weights ask for."""
    zero, axis = _zero_point(call, 2), call.integer("axis", 1)
    if zero.dtype.name not in _LEVELS:
        raise call.unsupported(f"to {zero.dtype.name} is not computed")
    scale, offset = _spread(call, value.array, call.needed(1).array, zero, axis)
    low, high = _LEVELS[zero.dtype.name]
    levels = np.rint(value.array.astype(np.float32) / scale) + offset
    return Constant(np.clip(levels, low, high).astype(zero.dtype), value.origin)


def real_constant(call: Call, index: int, axis: int) -> Constant:
    """Return input `index`, integers, as real numbers that remember them.

    The two inputs behind it are one scale, or one for each place along an axis, and a zero point.
    """
    value = call.needed(index)
    array = value.array
    if array.dtype.name not in (*_LEVELS, "int32"):
        raise call.unsupported(f"of {array.dtype.name} is not computed")
    given = call.constant(index + 2)
    zero = np.zeros((), array.dtype) if given is None else given.array
    scales = call.needed(index + 1).array
    scale, offset = _spread(call, array, scales, zero, axis)
    integers = array.astype(np.int32) - offset.astype(np.int32)
    along = axis_of(call, axis, array.ndim) if scales.size > 1 else None
    origin = value.origin.removesuffix("_quantized") if value.origin else None
    grid = Grid(integers, scales.astype(np.float32).ravel(), along)
    return Constant(integers.astype(np.float32) * scale, origin, grid)


def _spread(
    call: Call, array: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and zero point as float32 that broadcast along their axis of the array."""
    if call.integer("block_size", 0) or scale.ndim > 1:
        raise call.unsupported("has scales for blocks")
    shape = [1] * array.ndim
    if scale.size > 1:
        shape[axis_of(call, axis, array.ndim)] = scale.size
    zeros = np.broadcast_to(zero.astype(np.float32).ravel(), scale.size)
    return scale.astype(np.float32).reshape(shape), zeros.reshape(shape)


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
}
