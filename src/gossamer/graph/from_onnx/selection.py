"""Entries that stay or become zero by their size: thresholds, and the largest of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gossamer.graph.from_onnx.arithmetic import per_channel
from gossamer.graph.from_onnx.axes import axis_of
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.view import View
from gossamer.graph.ops import KWinners, Threshold


@dataclass(frozen=True, eq=False)
class Low:
    """Mark of an array that says where a value is at most a limit."""

    limit: np.ndarray

    def __str__(self) -> str:
        return "a comparison, which is in the graph as a threshold only"


@dataclass(frozen=True)
class Largest:
    """Mark of an array of the `count` largest entries along channels, or of their places."""

    count: int

    def __str__(self) -> str:
        return "entries picked by their size"


def _thresholded(call: Call) -> Value:
    return _threshold(call, call.view(), np.array(call.number("alpha", 1.0)))


def _less_or_equal(call: Call) -> Value:
    view, limit = call.view(), call.needed(1)
    return replace(view, mark=Low(limit.array))


def _where(call: Call) -> Value:
    """Take zero where a value is low, and the value itself elsewhere."""
    low, zero, kept = (call.input(index) for index in range(3))
    is_cut = (
        isinstance(low, View)
        and isinstance(low.mark, Low)
        and isinstance(kept, View)
        and kept.source == low.source
        and kept.is_alike(low)
        and kept.padding == low.padding
    )
    if not is_cut or not isinstance(zero, Constant) or zero.array.any():
        raise call.unsupported("is in the graph as a threshold only: Where(x <= t, 0, x)")
    return _threshold(call, call.view(2), low.mark.limit)  # type: ignore[union-attr]


def _threshold(call: Call, view: View, limit: np.ndarray) -> View:
    view = call.unpadded(view)
    thresholds = per_channel(call, view, limit)
    return replace(view, source=call.add(Threshold(), view.source, threshold=thresholds))


def _top(call: Call) -> tuple[Value, ...]:
    """Remember the largest entries along channels, for `ScatterElements`."""
    count, view = int(call.needed(1).array.item()), call.view()
    is_largest = call.integer("largest", 1) == 1
    if axis_of(call, call.integer("axis", -1), len(view.axes)) != 1 or not is_largest:
        raise call.unsupported("is in the graph for the largest along channels only")
    made = call.plain(call.settled(view))
    if not 1 <= count <= made.order.size:
        raise call.malformed(f"takes {count} of {made.order.size} entries")
    made = replace(made, mark=Largest(count))
    return made, made


def _scatter(call: Call) -> Value:
    """Put the largest entries back to where they were, among zeros."""
    zeros, places, largest = (call.input(index) for index in range(3))
    is_back = (
        isinstance(places, View)
        and isinstance(places.mark, Largest)
        and isinstance(largest, View)
        and (places.mark, places.source) == (largest.mark, largest.source)
        and axis_of(call, call.integer("axis", 0), len(places.axes)) == 1
        and call.text("reduction", "none") == "none"
    )
    if not is_back or not isinstance(zeros, Constant) or zeros.array.any():
        raise call.unsupported("is in the graph for the places of TopK, into zeros, only")
    shape = call.shape(places.source)  # type: ignore[union-attr]
    if zeros.array.shape != shape:
        raise call.malformed(f"scatters into {zeros.array.shape}, not {shape}")
    # Half a winner less, so that the share times the channels rounds up to the count.
    density = (places.mark.count - 0.5) / shape[1]  # type: ignore[union-attr]
    return call.plain(call.add(KWinners(density), places.source))  # type: ignore[union-attr]


HANDLERS: Mapping[str, Callable[[Call], Value | tuple[Value, ...]]] = {
    "ThresholdedRelu": _thresholded,
    "LessOrEqual": _less_or_equal,
    "Where": _where,
    "TopK": _top,
    "ScatterElements": _scatter,
}
