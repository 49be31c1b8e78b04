"""ONNX operators on constants, computed while reading: shapes, indices, prepared weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from gossamer.graph.from_onnx.axes import moved, new_shape, slices, squeezed, unsqueezed
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant

Arrays = Sequence[np.ndarray]


def compute(call: Call) -> tuple[Constant, ...]:
    """Return what a node makes of constants.

    Raises:
        UnsupportedOperatorError: if it is not one of the operators that are computed.
        LimitExceededError: if it makes more entries than the file may.
    """
    if call.kind == "Identity":
        return (call.needed(0),)
    if call.kind == "Transpose" and call.needed(0).array.ndim == 2:
        return (_transposed(call, call.needed(0)),)
    arrays = [call.needed(index).array for index in range(len(call.node.input)) if call.has(index)]
    meaning = MEANING.get(call.kind)
    if meaning is None or call.node.domain not in ("", "ai.onnx"):
        raise call.unsupported("of constants is not computed")
    call.builder.charge(_entries(call, arrays), call.place)
    made = meaning(call, arrays)
    parts = made if isinstance(made, tuple) else (made,)
    return tuple(Constant(np.asarray(part)) for part in parts)


def _transposed(call: Call, matrix: Constant) -> Constant:
    """Return a matrix transposed, with the integers that it was made from."""
    return matrix.transposed if moved(call, 2) == [1, 0] else matrix


def _entries(call: Call, arrays: Arrays) -> int:
    """Return a bound on the entries of the result, before it is computed."""
    match call.kind:
        case "ConstantOfShape":
            return prod(int(size) for size in arrays[0])
        case "Expand":
            return prod(np.broadcast_shapes(arrays[0].shape, tuple(int(s) for s in arrays[1])))
        case "Tile":
            return arrays[0].size * prod(int(r) for r in arrays[1])
        case "Range":
            start, limit, step = (array.astype(np.float64).item() for array in arrays)
            return int(max((limit - start) / step, 0)) + 1
        case "Gather":
            axis = arrays[0].shape[call.integer("axis", 0)]
            return arrays[0].size // max(axis, 1) * arrays[1].size
        case kind if kind in _BINARY or kind == "Where":
            return prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    return sum(array.size for array in arrays)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Divide; integers towards zero, as ONNX does."""
    if a.dtype.kind == "f":
        return a / b
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


def _cast(call: Call, arrays: Arrays) -> np.ndarray:
    from onnx.helper import tensor_dtype_to_np_dtype

    return arrays[0].astype(tensor_dtype_to_np_dtype(call.integer("to", 1)))


def _shape(call: Call, arrays: Arrays) -> np.ndarray:
    sizes = arrays[0].shape[call.integer("start", 0) : call.attributes.get("end")]
    return np.array(sizes, np.int64)


def _constant_of_shape(call: Call, arrays: Arrays) -> np.ndarray:
    value = np.zeros(1, np.float32)
    if "value" in call.attributes:
        value = call.builder.source.tensors.read(call.node.output[0], call.attributes["value"])
    return np.full([int(size) for size in arrays[0]], value.item(), value.dtype)


def _gather(call: Call, arrays: Arrays) -> np.ndarray:
    return arrays[0].take(arrays[1].astype(np.int64), axis=call.integer("axis", 0))


def _slice(call: Call, arrays: Arrays) -> np.ndarray:
    return arrays[0][tuple(slices(call, arrays[0].ndim))]


def _split(call: Call, arrays: Arrays) -> tuple[np.ndarray, ...]:
    from gossamer.graph.from_onnx.channels import split_sizes

    axis = call.integer("axis", 0)
    ends = np.cumsum(split_sizes(call, arrays[0].shape[axis]))
    return tuple(np.split(arrays[0], ends[:-1], axis=axis))


def _batch_norm(call: Call, arrays: Arrays) -> np.ndarray:
    """Norm a weight, along axis 1: by its own statistics, as nets of standardised weights do."""
    x, scale, bias, mean, variance = arrays[:5]
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    if call.integer("training_mode", 0):
        mean, variance = x.mean(others), x.var(others)
    scale = scale / np.sqrt(variance + call.number("epsilon", 1e-5))
    shift, along = bias - mean * scale, [-1, *[1] * (x.ndim - 2)]
    return (x * scale.reshape(along) + shift.reshape(along)).astype(x.dtype)


def _reduce(function: Callable[..., Any]) -> Callable[[Call, Arrays], np.ndarray]:
    def reduce(call: Call, arrays: Arrays) -> np.ndarray:
        axes = call.given_ints("axes", 1)
        keep = bool(call.integer("keepdims", 1))
        return np.asarray(function(arrays[0], axis=tuple(axes) if axes else None, keepdims=keep))

    return reduce


def _clip(call: Call, arrays: Arrays) -> np.ndarray:
    low, high = call.given_number("min", 1), call.given_number("max", 2)
    return arrays[0] if low is None and high is None else np.clip(arrays[0], low, high)


_UNARY: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Exp": np.exp,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Not": np.logical_not,
}

_BINARY: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "Mod": np.mod,
    "Max": np.maximum,
    "Min": np.minimum,
    "Equal": np.equal,
    "Greater": np.greater,
    "Less": np.less,
    "And": np.logical_and,
    "Or": np.logical_or,
}

MEANING: Mapping[str, Callable[[Call, Arrays], Any]] = {
    "BatchNormalization": _batch_norm,
    **{kind: (lambda call, arrays, f=f: f(arrays[0])) for kind, f in _UNARY.items()},
    **{kind: (lambda call, arrays, f=f: f(arrays[0], arrays[1])) for kind, f in _BINARY.items()},
    "Where": lambda call, arrays: np.where(*arrays),
    "Cast": _cast,
    "Clip": _clip,
    "Shape": _shape,
    "Size": lambda call, arrays: np.array(arrays[0].size, np.int64),
    "Reshape": lambda call, arrays: arrays[0].reshape(new_shape(call, arrays[0].shape)),
    "Flatten": lambda call, arrays: arrays[0].reshape(new_shape(call, arrays[0].shape)),
    "Squeeze": lambda call, arrays: arrays[0].reshape(squeezed(call, arrays[0].shape)),
    "Unsqueeze": lambda call, arrays: arrays[0].reshape(unsqueezed(call, arrays[0].shape)),
    "Transpose": lambda call, arrays: arrays[0].transpose(moved(call, arrays[0].ndim)),
    "Concat": lambda call, arrays: np.concatenate(arrays, axis=call.integer("axis", 1)),
    "Gather": _gather,
    "Slice": _slice,
    "Split": _split,
    "Expand": lambda call, arrays: (
        arrays[0] * np.ones([int(s) for s in arrays[1]], arrays[0].dtype)
    ),
    "Tile": lambda call, arrays: np.tile(arrays[0], [int(r) for r in arrays[1]]),
    "Range": lambda call, arrays: np.arange(*(array.item() for array in arrays)),
    "ConstantOfShape": _constant_of_shape,
    "ReduceMean": _reduce(np.mean),
    "ReduceSum": _reduce(np.sum),
    "ReduceProd": _reduce(np.prod),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
}
