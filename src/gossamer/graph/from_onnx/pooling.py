"""Pooling over windows and over whole pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gossamer.graph.from_onnx.axes import axis_of
from gossamer.graph.from_onnx.builder import Builder, Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.convolutions import added, padded_size, pair, sides
from gossamer.graph.from_onnx.view import NO_PADDING, View
from gossamer.graph.ops import (
    AvgPool2d,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Flatten,
    GlobalAvgPool,
    MaxPool2d,
    Pair,
)

_AT_LEAST_ZERO = ("relu", "relu6", "sigmoid", "hard_sigmoid")
_KEEP_SIGN = (AvgPool2d, ChannelPermute, ChannelSelect, Concat, Flatten, GlobalAvgPool, MaxPool2d)


def never_negative(builder: Builder, source: str) -> bool:
    """Whether a value is at least zero by what makes it."""
    names, seen, known = [source], {source}, builder.never_negative
    while names and source not in known:
        name = names.pop()
        node = builder.makers.get(name)
        if name in known:
            is_one = known[name]
        elif node is not None and isinstance(node.op, _KEEP_SIGN):
            is_one = True
            names += {*node.inputs} - seen
            seen |= {*node.inputs}
        else:
            is_one = node is not None and getattr(node.op, "function", "") in _AT_LEAST_ZERO
        if not is_one:
            known[source] = False
    return known.setdefault(source, True)


def _window(call: Call) -> Pair:
    kernel = call.ints("kernel_shape")
    if kernel is None:
        raise call.malformed("kernel_shape is missing")
    if len(kernel) != 2:
        raise call.unsupported("is in the graph for pictures (N, C, H, W) only")
    return kernel[0], kernel[1]


def _max_pool(call: Call) -> Value:
    kernel, dilation = _window(call), pair(call, "dilations")
    given = call.view(integers=True)  # the largest integer is the largest number
    view = call.picture(given)
    outer = view.padding
    if outer != NO_PADDING and not (
        never_negative(call.builder, view.source) and _joins(call, view, kernel, dilation)
    ):
        # Zeros around the picture win over what is below zero: they must be there.
        view, outer = call.unpadded(view), NO_PADDING
    stride = pair(call, "strides")
    size = padded_size(call.shape(view.source)[2:], outer)
    padding = added(sides(call, size, kernel, stride, dilation), outer)
    op = MaxPool2d(kernel, stride, padding, dilation, bool(call.integer("ceil_mode", 0)))
    return replace(call.plain(call.add(op, view.source)), levels=given.levels)


def _avg_pool(call: Call) -> Value:
    if call.ints("dilations", (1, 1)) != [1, 1]:
        raise call.unsupported("has a dilation")
    kernel, stride = _window(call), pair(call, "strides")
    view = call.picture(call.view())
    outer, counts = view.padding, bool(call.integer("count_include_pad", 0))
    own = sides(call, padded_size(call.shape(view.source)[2:], outer), kernel, stride, (1, 1))
    if not (_joins(call, view, kernel, (1, 1)) and (counts or own == NO_PADDING)):
        view, outer = call.unpadded(view), NO_PADDING
    counts = counts or outer != NO_PADDING
    op = AvgPool2d(kernel, stride, added(own, outer), bool(call.integer("ceil_mode", 0)), counts)
    return call.plain(call.add(op, view.source))


def _joins(call: Call, view: View, kernel: Pair, dilation: Pair) -> bool:
    """Whether a pool can take over the zeros around its picture as its own padding."""
    own = call.ints("pads", NO_PADDING) or NO_PADDING
    half = [(dilation[a] * (kernel[a] - 1) + 1) // 2 for a in (0, 1)]
    return not call.integer("ceil_mode", 0) and all(
        own[side] + view.padding[side] <= half[side % 2] for side in range(4)
    )


def _global_avg_pool(call: Call) -> Value:
    return call.plain(call.add(GlobalAvgPool(), call.value()))


def _global_max_pool(call: Call) -> Value:
    name = call.value()
    height, width = call.shape(name)[2:]
    return call.plain(call.add(MaxPool2d((height, width), (1, 1)), name))


def _reduce_mean(call: Call) -> Value:
    """Average over the picture, wherever its axes stand."""
    view = call.unpadded(call.view())
    rank = len(view.axes)
    given = call.given_ints("axes", 1)
    axes = {axis_of(call, axis, rank) for axis in (range(rank) if given is None else given)}
    letters = {view.axes[axis] for axis in axes}
    if 0 in axes or "C" in letters or not ({*view.axes} & {*"HW"} <= letters):
        raise call.unsupported("is in the graph over height and width only")
    keep = bool(call.integer("keepdims", 1))
    short = "".join(
        letter if axis not in axes else "1" if keep else "" for axis, letter in enumerate(view.axes)
    )
    is_mean = letters & {*"HW"}
    source = call.add(GlobalAvgPool(), view.source) if is_mean else view.source
    return replace(view, source=source, axes=short)


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "MaxPool": _max_pool,
    "AveragePool": _avg_pool,
    "GlobalAveragePool": _global_avg_pool,
    "GlobalMaxPool": _global_max_pool,
    "ReduceMean": _reduce_mean,
}
