"""Functions of each entry: activations, sums, and arithmetic with a constant per channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import fx

from gossamer.graph.activations import leaky_relu
from gossamer.graph.from_torch.builder import Call
from gossamer.graph.ops import Activation, Add, Multiply, ScaleShift, Threshold


@dataclass(frozen=True, eq=False)
class Low:
    """Where a value is at most a constant of one number a channel: what `where` sets to zero.

    Args:
        source: node of the trace that is compared.
        name: of its value.
        thresholds: (C,).
    """

    source: fx.Node
    name: str
    thresholds: np.ndarray


def _activation(function: str) -> Callable[[Call], str]:
    return lambda call: call.add(Activation(function), call.value(call["self"]))


def _leaky_relu(call: Call) -> str:
    slope = leaky_relu(call.arguments.get("negative_slope", 0.01))
    return call.add(Activation(slope), call.value(call["self"]))


def _prelu(call: Call) -> str:
    """Multiply what is below zero by a slope, the same one for all channels."""
    slopes = call.constant(call["weight"])
    if slopes is None or (slopes != slopes.flat[0]).any():
        raise call.unsupported("has slopes that differ, which is not in the graph")
    return call.add(Activation(leaky_relu(float(slopes.flat[0]))), call.value(call["self"]))


def _gelu(call: Call) -> str:
    is_tanh = call.arguments.get("approximate", "none") == "tanh"
    return call.add(Activation("gelu_tanh" if is_tanh else "gelu"), call.value(call["self"]))


def _clamp(call: Call) -> str:
    bounds = {"min": call.arguments.get("min"), "max": call.arguments.get("max")}
    if "min_val" in call.arguments:
        bounds = {"min": call["min_val"], "max": call["max_val"]}
    function = {(0, None): "relu", (0, 6): "relu6"}.get((bounds["min"], bounds["max"]))
    if function is None:
        raise call.unsupported(f"to {bounds} is not an activation of the graph")
    return call.add(Activation(function), call.value(call["self"]))


def _less_or_equal(call: Call) -> Low:
    name = call.value(call["self"])
    return Low(call["self"], name, _per_channel(call, name, call["other"]))


def _where(call: Call) -> str:
    """Take zero where a value is low, and the value itself elsewhere."""
    low = call.raw(call["condition"])
    kept, zero = call["other"], call["self"]
    if not isinstance(low, Low) or kept is not low.source or call.is_value(zero):
        raise call.unsupported("is in the graph as a threshold only: where(x <= t, 0, x)")
    return _threshold(call, low.name, low.thresholds, zero)


def _cut(call: Call) -> str:
    name = call.value(call["self"])
    return _threshold(call, name, _per_channel(call, name, call["threshold"]), call["value"])


def _threshold(call: Call, name: str, thresholds: np.ndarray, low: Any) -> str:
    if np.any(call.constant(low)):
        raise call.unsupported("puts another number than zero below a threshold")
    return call.add(Threshold(), name, threshold=(None, thresholds))


def _add(call: Call) -> str:
    if call.arguments.get("alpha", 1) != 1:
        raise call.unsupported("has a factor alpha")
    a, b = call["self"], call["other"]
    if not call.is_value(b):
        return _scale_shift(call, a, shift=b)
    if not call.is_value(a):
        return _scale_shift(call, b, shift=a)
    terms = call.value(a), call.value(b)
    if call.shape(terms[0]) != call.shape(terms[1]):
        shapes = " and ".join(str(call.shape(term)) for term in terms)
        raise call.unsupported(f"adds values of different shapes {shapes}")
    return call.add(Add(), *terms)


def _mul(call: Call) -> str:
    a, b = call["self"], call["other"]
    if not call.is_value(a):
        return _scale_shift(call, b, scale=a)
    if not call.is_value(b):
        return _scale_shift(call, a, scale=b)
    factors = call.value(a), call.value(b)
    shapes = [call.shape(factor) for factor in factors]
    for (first, second), (large, small) in ((factors, shapes), (factors[::-1], shapes[::-1])):
        if small in (large, (*large[:2], *(1,) * len(large[2:])), large[:2]):
            return call.add(Multiply(), first, second)
    raise call.unsupported(f"multiplies values of different shapes {shapes[0]} and {shapes[1]}")


def _sub(call: Call) -> str:
    if call.arguments.get("alpha", 1) != 1:
        raise call.unsupported("has a factor alpha")
    return _scale_shift(call, call["self"], shift=call["other"], negate=True)


def _reverse_sub(call: Call) -> str:
    if call.arguments.get("alpha", 1) != 1:
        raise call.unsupported("has a factor alpha")
    return _scale_shift(call, call["self"], scale=-1, shift=call["other"])


def _div(call: Call) -> str:
    return _scale_shift(call, call["self"], scale=call["other"], invert=True)


def _scale_shift(
    call: Call,
    value: Any,
    *,
    scale: Any = 1,
    shift: Any = 0,
    invert: bool = False,
    negate: bool = False,
) -> str:
    """Add value · scale + shift with constants of one number a channel."""
    if call.is_value(scale) or call.is_value(shift):
        raise call.unsupported("of two values is not in the graph")
    name = call.value(value)
    factors, terms = (_per_channel(call, name, constant) for constant in (scale, shift))
    return call.add(
        ScaleShift(),
        name,
        scale=(None, 1 / factors if invert else factors),
        shift=(None, -terms if negate else terms),
    )


def _per_channel(call: Call, name: str, constant: Any) -> np.ndarray:
    """Return a constant that broadcasts against (N, C, …) as (C,)."""
    array, shape = call.constant(constant), call.shape(name)
    assert array is not None
    if not isinstance(shape[1], int):
        raise call.unsupported("with a constant reads a value whose features are not fixed")
    channels, rank = shape[1], len(shape)
    padded = (
        array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim <= rank else array
    )
    if padded.shape not in ((1,) * rank, (1, channels) + (1,) * (rank - 2)):
        raise call.unsupported(f"has a constant {array.shape} that is not one number a channel")
    return np.broadcast_to(padded.ravel(), (channels,))


HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    "aten.relu.default": _activation("relu"),
    "aten.relu_.default": _activation("relu"),
    "aten.relu6.default": _activation("relu6"),
    "aten.relu6_.default": _activation("relu6"),
    "aten.sigmoid.default": _activation("sigmoid"),
    "aten.sigmoid_.default": _activation("sigmoid"),
    "aten.tanh.default": _activation("tanh"),
    "aten.tanh_.default": _activation("tanh"),
    "aten.silu.default": _activation("silu"),
    "aten.silu_.default": _activation("silu"),
    "aten.hardsigmoid.default": _activation("hard_sigmoid"),
    "aten.hardsigmoid_.default": _activation("hard_sigmoid"),
    "aten.hardswish.default": _activation("hard_swish"),
    "aten.hardswish_.default": _activation("hard_swish"),
    "aten.leaky_relu.default": _leaky_relu,
    "aten.leaky_relu_.default": _leaky_relu,
    "aten.prelu.default": _prelu,
    "aten.erf.default": _activation("erf"),
    "aten.gelu.default": _gelu,
    "aten.threshold.default": _cut,
    "aten.threshold_.default": _cut,
    "aten.le.Tensor": _less_or_equal,
    "aten.le.Scalar": _less_or_equal,
    "aten.where.self": _where,
    "aten.where.ScalarSelf": _where,
    "aten.clamp.default": _clamp,
    "aten.clamp_.default": _clamp,
    "aten.clamp_min.default": _clamp,
    "aten.clamp_min_.default": _clamp,
    "aten.hardtanh.default": _clamp,
    "aten.hardtanh_.default": _clamp,
    "aten.add.Tensor": _add,
    "aten.add_.Tensor": _add,
    "aten.mul.Tensor": _mul,
    "aten.mul_.Tensor": _mul,
    "aten.sub.Tensor": _sub,
    "aten.sub_.Tensor": _sub,
    "aten.rsub.Scalar": _reverse_sub,
    "aten.rsub.Tensor": _reverse_sub,
    "aten.neg.default": lambda call: _scale_shift(call, call["self"], scale=-1),
    "aten.div.Tensor": _div,
    "aten.div_.Tensor": _div,
}
