"""Activations: functions of each entry that the graph has by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gossamer.graph.activations import leaky_relu
from gossamer.graph.from_onnx.arithmetic import scale_shift
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.pooling import never_negative
from gossamer.graph.from_onnx.quantisation import clipped
from gossamer.graph.from_onnx.view import View
from gossamer.graph.ops import Activation

_LARGEST = 3e38  # a bound that no float32 reaches


def _entrywise(call: Call, view: View, function: str) -> View:
    """Return the view of an activation of each entry."""
    view = call.unpadded(view)
    return replace(view, source=call.add(Activation(function), view.source))


def _activation(function: str) -> Callable[[Call], Value]:
    return lambda call: _entrywise(call, call.view(), function)


def _leaky_relu(call: Call) -> Value:
    return _entrywise(call, call.view(), leaky_relu(call.number("alpha", 0.01)))


def _prelu(call: Call) -> Value:
    """Multiply what is below zero by a slope, the same one for all channels."""
    slopes = call.needed(1).array
    if slopes.size == 0 or (slopes != slopes.flat[0]).any():
        raise call.unsupported("has slopes that differ, which is not in the graph")
    return _entrywise(call, call.view(), leaky_relu(float(slopes.flat[0])))


def _gelu(call: Call) -> Value:
    function = {"none": "gelu", "tanh": "gelu_tanh"}.get(call.text("approximate", "none"))
    if function is None:
        raise call.malformed("unknown approximation")
    return _entrywise(call, call.view(), function)


def _clip(call: Call) -> Value:
    low = call.given_number("min", 1)
    high = call.given_number("max", 2)
    view = call.view(integers=True)
    if view.levels is not None:
        return clipped(call, view, low, high)
    return _bounded(call, view, low, high)


def _bounded(call: Call, view: View, low: float | None, high: float | None) -> Value:
    low = None if low is None or low < -_LARGEST else low
    high = None if high is None or high > _LARGEST else high
    if low is None and high is None:
        return view
    if high is not None and (low or 0) <= 0 and never_negative(call.builder, view.source):
        low = 0
    function = {(0, None): "relu", (0, 6): "relu6"}.get((low, high))
    if function is None:
        raise call.unsupported(f"to {low}…{high} is not an activation of the graph")
    return _entrywise(call, view, function)


def _largest(call: Call) -> Value:
    return _with_bound(call, lambda view, bound: _bounded(call, view, bound, None))


def _smallest(call: Call) -> Value:
    return _with_bound(call, lambda view, bound: _bounded(call, view, None, bound))


def _with_bound(call: Call, function: Callable[[View, float], Value]) -> Value:
    """Apply a function to a value and a constant of one entry, in either order."""
    inputs = [call.input(index) for index in range(len(call.node.input))]
    views = [value for value in inputs if isinstance(value, View)]
    bounds = [value for value in inputs if isinstance(value, Constant)]
    if len(views) != 1 or len(bounds) != 1 or bounds[0].array.size != 1:
        raise call.unsupported("is in the graph against one number only")
    return function(views[0], float(bounds[0].array.item()))


def _hard_sigmoid(call: Call) -> Value:
    """Clip alpha · x + beta to 0…1; the graph's own has alpha 1/6 and beta 1/2."""
    view = call.view()
    scale, shift = 6 * call.number("alpha", 0.2), 6 * (call.number("beta", 0.5) - 0.5)
    if abs(scale - 1) > 1e-6 or shift:
        view = scale_shift(call, view, np.array(scale), np.array(shift))
    return _entrywise(call, view, "hard_sigmoid")


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "Relu": _activation("relu"),
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "HardSwish": _activation("hard_swish"),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Erf": _activation("erf"),
    "Gelu": _gelu,
    "Clip": _clip,
    "Max": _largest,
    "Min": _smallest,
}
