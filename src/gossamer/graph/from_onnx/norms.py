"""Layer norms over channels: as an operator of their own, and written out by older exporters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gossamer.graph.from_onnx.arithmetic import per_channel
from gossamer.graph.from_onnx.axes import axis_of
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.view import View
from gossamer.graph.ops import LayerNorm

Handler = Callable[[Call], Value | tuple[Value, ...]]


def _layer_norm(call: Call) -> Value:
    """Normalise each pixel over its channels, wherever their axis stands."""
    view = call.unpadded(call.view())
    axis = axis_of(call, call.integer("axis", -1), len(view.axes))
    if view.axes[axis:].replace("1", "") != "C" or view.axes.count("C") != 1:
        raise call.unsupported("runs along other axes than channels")
    shift = call.constant(2)
    view = call.in_order(view)
    return normed(
        call,
        view,
        float(call.number("epsilon", 1e-5)),
        call.needed(1).array,
        np.zeros(()) if shift is None else shift.array,
    )


def normed(call: Call, view: View, epsilon: float, scale: np.ndarray, shift: np.ndarray) -> View:
    """Return the view of a layer norm over all channels of a view that has them in order."""
    factors, terms = (per_channel(call, view, array) for array in (scale, shift))
    op = LayerNorm(epsilon)
    return replace(view, source=call.add(op, view.source, scale=factors, shift=terms))


# ── written out, as older operator sets have it ───────────────────────────────────────────────
@dataclass(frozen=True)
class Moment:
    """Mark of a step on the way to a layer norm; the view is of what is normed.

    Args:
        stage: "mean", "centred" (less the mean), "squares" (of that), their mean "variance", or
            the root of it, "deviation".
        epsilon: added to the variance.
    """

    stage: str
    epsilon: float = 0.0

    def __str__(self) -> str:
        return "a step of a norm over channels that is not a layer norm"


def _mean(call: Call, x: View, *axes: Value) -> View | None:
    """Average a value or squares over channels."""
    stage = {"plain": "mean", "squares": "variance"}.get(_stage(x))
    given = call.given_ints("axes", 1) or []
    letters = [x.axes[axis_of(call, axis, len(x.axes))] for axis in given]
    is_over_channels = letters == ["C"] and x.axes.count("C") == 1
    if stage is None or not is_over_channels or not call.integer("keepdims", 1):
        return None
    return replace(x, mark=Moment(stage))


def _difference(call: Call, x: Value, mean: Value) -> View | None:
    if (
        isinstance(x, View)
        and _stage(x) == "plain"
        and _stage(mean) == "mean"
        and _is_same(x, mean)
    ):
        return replace(x, mark=Moment("centred"))
    return None


def _power(call: Call, x: Value, exponent: Value) -> View | None:
    if isinstance(exponent, View) or exponent.array.size != 1 or exponent.array.item() != 2:
        return None
    return _product(call, x, x)


def _product(call: Call, a: Value, b: Value) -> View | None:
    if isinstance(a, View) and _stage(a) == _stage(b) == "centred" and _is_same(a, b):
        return replace(a, mark=Moment("squares"))
    return None


def _sum(call: Call, a: Value, b: Value) -> View | None:
    """Add a number to the variance."""
    variance, term = (b, a) if isinstance(b, View) else (a, b)
    if not isinstance(variance, View) or isinstance(term, View) or _stage(variance) != "variance":
        return None
    return replace(variance, mark=Moment("variance", float(term.array.astype(np.float64).item())))


def _root(call: Call, x: Value) -> View:
    if not isinstance(x, View) or not isinstance(x.mark, Moment) or x.mark.stage != "variance":
        raise call.unsupported("is in the graph inside of a layer norm only")
    return replace(x, mark=replace(x.mark, stage="deviation"))


def _quotient(call: Call, x: Value, deviation: Value) -> View | None:
    """Divide by the deviation: the last step."""
    if not isinstance(x, View) or not isinstance(deviation, View) or not _is_same(x, deviation):
        return None
    if (_stage(x), _stage(deviation)) != ("centred", "deviation"):
        return None
    assert isinstance(deviation.mark, Moment)
    view = call.in_order(call.unpadded(replace(x, mark=None)))
    return normed(call, view, deviation.mark.epsilon, np.ones(()), np.zeros(()))


def _stage(value: Value) -> str:
    """Return which step a value is: "plain" if it has no mark, "" if it can be none."""
    if not isinstance(value, View) or not isinstance(value.mark, Moment | None):
        return ""
    return "plain" if value.mark is None else value.mark.stage


def _is_same(a: Value, b: Value) -> bool:
    """Whether two views are of the same array."""
    return (
        isinstance(a, View)
        and isinstance(b, View)
        and (a.source, a.padding) == (b.source, b.padding)
        and a.is_alike(b)
    )


_STEPS: Mapping[str, Callable[..., View | None]] = {
    "ReduceMean": _mean,
    "Sub": _difference,
    "Pow": _power,
    "Mul": _product,
    "Add": _sum,
    "Div": _quotient,
}
"""Operators that may be a step of a layer norm: what they make then, None where they are not."""


def in_layer_norms(handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """Return the handlers of operators that may be steps of a layer norm, and else as they are."""
    return {kind: _either(step, handlers[kind]) for kind, step in _STEPS.items()}


def _either(step: Callable[..., View | None], otherwise: Handler) -> Handler:
    def handler(call: Call) -> Value | tuple[Value, ...]:
        made = step(call, *(call.input(index) for index in range(len(call.node.input))))
        return otherwise(call) if made is None else made

    return handler


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "LayerNormalization": _layer_norm,
    "Sqrt": lambda call: _root(call, call.input(0)),
}
