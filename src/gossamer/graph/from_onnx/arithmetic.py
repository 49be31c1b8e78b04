"""Sums and products of values, and arithmetic with constants of one number a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.reshaping import Repeated
from gossamer.graph.from_onnx.view import View
from gossamer.graph.ops import Add, Multiply, ScaleShift


def _add(call: Call) -> Value:
    a, b = call.input(0), call.input(1)
    if isinstance(a, Constant) and isinstance(b, View):
        a, b = b, a
    if isinstance(a, View) and isinstance(b, Constant):
        return scale_shift(call, a, shift=b.array)
    return _sum(call, call.view(0), call.view(1))


def _sum(call: Call, a: View, b: View) -> View:
    a, b = _alike(call, a, b)
    return replace(a, source=call.add(Add(), a.source, b.source))


def _sum_of_all(call: Call) -> Value:
    """Add one or more values."""
    total = call.view(0)
    for index in range(1, len(call.node.input)):
        total = _sum(call, total, call.view(index))
    return total


def _alike(call: Call, a: View, b: View) -> tuple[View, View]:
    """Return two views of equal sizes that lie in their sources in the same way."""
    a, b = call.unpadded(a), call.unpadded(b)
    if not a.is_alike(b):
        a, b = call.in_order(a), call.in_order(b)
    if call.sizes(a) != call.sizes(b) or not a.is_alike(b):
        shapes = f"{call.sizes(a)} as {a.axes} and {call.sizes(b)} as {b.axes}"
        raise call.unsupported(f"of arrays that differ in shape or layout: {shapes}")
    if len(call.shape(a.source)) != len(call.shape(b.source)):
        a, b = call.flat(a), call.flat(b)
    return a, b


def _mul(call: Call) -> Value:
    a, b = call.input(0), call.input(1)
    if isinstance(a, Constant) and isinstance(b, View):
        a, b = b, a
    if isinstance(a, View) and isinstance(b, Constant):
        return scale_shift(call, a, scale=b.array)
    a, b = _factor(call, 0), _factor(call, 1)
    if _is_gate(call, a, b):
        a, b = b, a
    if _is_gate(call, b, a):
        a, b = (a, b) if np.array_equal(a.order, b.order) else (call.in_order(a), call.in_order(b))
    else:
        a, b = _alike(call, a, b)
    return replace(a, source=call.add(Multiply(), a.source, b.source))


def _factor(call: Call, index: int) -> View:
    """Return an input; what is repeated to the size of the other one as the gate that it is."""
    value, other = call.input(index), call.input(1 - index)
    if isinstance(value, View) and isinstance(other, View) and isinstance(value.mark, Repeated):
        is_gate = value.mark.sizes == call.sizes(other)
        value = replace(value, mark=None if is_gate else value.mark)
        return call.unpadded(value)
    return call.unpadded(call.view(index))


def _is_gate(call: Call, gate: View, picture: View) -> bool:
    """Whether a view holds one factor for each channel of a picture."""
    ranks = len(call.shape(gate.source)), len(call.shape(picture.source))
    inside = picture.axes.replace("H", "1").replace("W", "1")
    return gate.axes == inside and (ranks == (2, 4) or (ranks[1] == 4 and inside != picture.axes))


def _sub(call: Call) -> Value:
    a, b = call.input(0), call.input(1)
    if isinstance(b, Constant):
        return scale_shift(call, call.view(0), shift=-b.array.astype(np.float64))
    if isinstance(a, Constant):
        return scale_shift(call, b, scale=np.array(-1.0), shift=a.array)
    return _sum(call, call.view(0), scale_shift(call, b, scale=np.array(-1.0)))


def _div(call: Call) -> Value:
    divisor = call.needed(1).array.astype(np.float64)
    if not divisor.all():
        raise call.unsupported("divides by zero")
    return scale_shift(call, call.view(), scale=1 / divisor)


def _pow(call: Call) -> Value:
    """Multiply a value by itself; other powers than 1, 2 and 3 are not in the graph."""
    exponent = call.needed(1).array
    if exponent.size != 1 or exponent.item() not in (1, 2, 3):
        raise call.unsupported("is in the graph for exponents 1, 2 and 3 only")
    view = call.unpadded(call.view())
    name = view.source
    for _ in range(int(exponent.item()) - 1):
        name = call.add(Multiply(), name, view.source)
    return replace(view, source=name)


_ONE, _ZERO = np.ones(()), np.zeros(())


def scale_shift(
    call: Call, view: View, scale: np.ndarray = _ONE, shift: np.ndarray = _ZERO
) -> View:
    """Return view · scale + shift, constants of one number a channel."""
    view = call.unpadded(view)
    factors, terms = (per_channel(call, view, array) for array in (scale, shift))
    return replace(view, source=call.add(ScaleShift(), view.source, scale=factors, shift=terms))


def per_channel(call: Call, view: View, array: np.ndarray) -> np.ndarray:
    """Return a constant that broadcasts against a view as one number a channel of the source."""
    rank = len(view.axes)
    shape = (1,) * (rank - array.ndim) + array.shape
    sizes = call.sizes(view)
    fits = array.ndim <= rank and all(
        size in (1, sizes[axis] if view.axes[axis] == "C" else 1) for axis, size in enumerate(shape)
    )
    if not fits:
        raise call.unsupported(f"has a constant {array.shape} that is not one number a channel")
    inner = [size for axis, size in zip(view.axes, shape, strict=True) if axis == "C"]
    vector = np.empty(view.order.size)
    vector[view.order] = array.astype(np.float64).reshape(inner)
    return vector


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "Add": _add,
    "Sum": _sum_of_all,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Pow": _pow,
    "Neg": lambda call: scale_shift(call, call.view(), scale=np.array(-1.0)),
}
