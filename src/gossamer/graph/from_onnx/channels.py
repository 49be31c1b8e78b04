"""Operators that pick, join or pad channels and pixels, and those that look at all channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from gossamer.graph.from_onnx.axes import axis_of, slices
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.convolutions import added
from gossamer.graph.from_onnx.reshaping import from_line
from gossamer.graph.from_onnx.view import View, chosen, is_plain, with_channel_axis
from gossamer.graph.ops import (
    LARGEST_CHANNELS,
    Concat,
    LocalResponseNorm,
    MaxPool2d,
    Padding,
    Softmax,
)


def _concat(call: Call) -> Value:
    views = [call.unpadded(call.view(index)) for index in range(len(call.node.input))]
    axis = axis_of(call, call.integer("axis", 1), len(views[0].axes))
    views = [call.in_order(with_channel_axis(view, axis)) for view in views]
    axes = views[0].axes
    if axes.count("C") != 1 or axes[axis] != "C" or any(view.axes != axes for view in views):
        raise call.unsupported("joins along another axis than channels")
    if len({len(call.shape(view.source)) for view in views}) > 1:
        views = [call.flat(view) for view in views]
    name = call.add(Concat(), *(view.source for view in views))
    return View(name, axes, np.arange(call.shape(name)[1]))


def _choose(call: Call, view: View, axis: int, positions: Sequence[int]) -> View:
    """Return the view with only some entries along an axis, zeros where a position is −1."""
    if list(positions) == list(range(call.sizes(view)[axis])):
        return view
    if view.axes[axis] == "1" and view.order.size == 1:
        view = with_channel_axis(view, axis)
    if view.axes[axis] != "C" or not positions:
        raise call.unsupported("picks a part of the picture or batch")
    channels, made = chosen(view, axis, positions)
    return replace(made, source=call.choose(view.source, channels))


def _slice(call: Call) -> Value:
    view = call.view()
    for axis, kept in enumerate(slices(call, len(view.axes))):
        size = call.sizes(view)[axis]
        positions = range(size)[kept]
        if view.axes[axis] in "HW" and positions.start == 0 and positions.step > 1:
            view = _subsampled(call, view, axis, positions)
        else:
            view = _choose(call, view, axis, positions)
    return view


def _subsampled(call: Call, view: View, axis: int, positions: range) -> View:
    """Keep every so many pixels, up to the last that is there."""
    view, letter, step = call.unpadded(view), view.axes[axis], positions.step
    if positions.stop + step - 1 < call.sizes(view)[axis]:
        raise call.unsupported("picks a part of the picture or batch")
    stride = (step, 1) if letter == "H" else (1, step)
    name = call.add(MaxPool2d((1, 1), stride), view.source)
    axes = view.axes if len(positions) > 1 else view.axes.replace(letter, "1")
    return replace(view, source=name, axes=axes)


def _gather(call: Call) -> Value:
    whole = from_line(call)
    if whole is not None:
        return whole
    view, index = call.view(), call.needed(1).array
    axis = axis_of(call, call.integer("axis", 0), len(view.axes))
    size = call.sizes(view)[axis]
    if index.ndim > 1 or index.dtype.kind not in "iu" or (abs(index) > size).any():
        raise call.unsupported("picks by something that is not a list of channels")
    view = _choose(call, view, axis, (index.ravel() % size).tolist())
    if index.ndim:
        return view
    sizes = call.sizes(view)
    return call.reshape(view, (*sizes[:axis], *sizes[axis + 1 :]))


def split_sizes(call: Call, size: int) -> list[int]:
    """Return the sizes of the parts of a split."""
    given = call.given_ints("split", 1)
    if given is not None:
        if sum(given) != size or min(given) < 0:
            raise call.malformed(f"cannot split {size} into {given}")
        return given
    parts = len(call.node.output)
    each = -(-size // parts)
    return [max(min(each, size - each * part), 0) for part in range(parts)]


def _split(call: Call) -> tuple[Value, ...]:
    view = call.view()
    axis = axis_of(call, call.integer("axis", 0), len(view.axes))
    ends = np.cumsum([0, *split_sizes(call, call.sizes(view)[axis])])
    return tuple(
        _choose(call, view, axis, range(int(start), int(end))) for start, end in pairwise(ends)
    )


def _pad(call: Call) -> Value:
    """Add zeros: to channels at once, around the picture for the next operator to take over."""
    view, rank = call.view(), len(call.view().axes)
    amounts = call.given_ints("pads", 1) or []
    fill = call.given_number("value", 2) or 0
    if call.text("mode", "constant") != "constant" or fill or min(amounts, default=0) < 0:
        raise call.unsupported("adds something other than zeros")
    axes = call.given_ints("axes", 3) or range(rank)
    if len(amounts) != 2 * len(axes):
        raise call.malformed("needs two numbers for each axis")
    for axis, before, after in zip(axes, amounts[: len(axes)], amounts[len(axes) :], strict=True):
        if before or after:
            view = _pad_axis(call, view, axis_of(call, axis, rank), before, after)
    return view


def _pad_axis(call: Call, view: View, axis: int, before: int, after: int) -> View:
    if max(before, after) > LARGEST_CHANNELS:
        raise call.unsupported("adds more than the graph can hold")
    letter = view.axes[axis]
    if letter == "1" and is_plain(view, 4):  # an axis of one entry, which is about to have more
        letter = "NCHW"[axis]
        if letter in "HW":
            view = replace(view, axes=f"{view.axes[:axis]}{letter}{view.axes[axis + 1 :]}")
    if letter == "C":
        size = call.sizes(view)[axis]
        return _choose(call, view, axis, [-1] * before + [*range(size)] + [-1] * after)
    sides: dict[str, Padding] = {"H": (before, 0, after, 0), "W": (0, before, 0, after)}
    if letter not in sides:
        raise call.unsupported("adds to an axis that is neither channels nor of the picture")
    return replace(view, padding=added(view.padding, sides[letter]))


def _softmax(call: Call) -> Value:
    """Normalise along channels; before operator set 13 along all axes from one on."""
    view = call.unpadded(call.view())
    modern = call.opset >= 13
    axis = axis_of(call, call.integer("axis", -1 if modern else 1), len(view.axes))
    letters = view.axes[axis] if modern else view.axes[axis:].replace("1", "")
    if letters != "C" or view.axes.count("C") != 1:
        raise call.unsupported("runs along another axis than channels")
    return replace(view, source=call.add(Softmax(), view.source))


def _response_norm(call: Call) -> Value:
    size = call.integer("size", 0)
    if size % 2 == 0:
        raise call.unsupported("over an even number of channels is not in the graph")
    terms = [float(call.number(*term)) for term in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))]
    return call.plain(call.add(LocalResponseNorm(size, *terms), call.value()))


HANDLERS: Mapping[str, Callable[[Call], Value | tuple[Value, ...]]] = {
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "Pad": _pad,
    "Softmax": _softmax,
    "LRN": _response_norm,
}
