"""Layer norms over channels: as an operator of their own, and written out by older exporters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gossamer.graph.from_onnx.arithmetic import per_channel
from gossamer.graph.from_onnx.axes import axis_of
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.view import View
from gossamer.graph.ops import LayerNorm


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


HANDLERS: Mapping[str, Callable[[Call], Value]] = {"LayerNormalization": _layer_norm}
