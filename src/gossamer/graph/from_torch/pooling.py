"""Pooling over windows and over whole pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gossamer.graph.from_torch.builder import Call
from gossamer.graph.from_torch.convolutions import four_sides, pair
from gossamer.graph.ops import AvgPool2d, Flatten, GlobalAvgPool, MaxPool2d


def _max_pool2d(call: Call) -> str:
    op = MaxPool2d(
        kernel=pair(call["kernel_size"]),
        stride=pair(call["stride"] or call["kernel_size"]),
        padding=four_sides(call["padding"]),
        dilation=pair(call["dilation"]),
        ceil_mode=call["ceil_mode"],
    )
    return call.add(op, call.value(call["self"]))


def _avg_pool2d(call: Call) -> str:
    if call["divisor_override"] is not None:
        raise call.unsupported("has a divisor of its own")
    op = AvgPool2d(
        kernel=pair(call["kernel_size"]),
        stride=pair(call["stride"] or call["kernel_size"]),
        padding=four_sides(call["padding"]),
        ceil_mode=call["ceil_mode"],
        count_include_pad=call["count_include_pad"],
    )
    return call.add(op, call.value(call["self"]))


def _adaptive_avg_pool2d(call: Call) -> str:
    value, wanted = call.value(call["self"]), tuple(call["output_size"])
    size = call.shape(value)[2:]
    if wanted == size:
        return value
    if wanted == (1, 1):
        return call.add(GlobalAvgPool(), value)
    if not all(isinstance(s, int) and s % w == 0 for s, w in zip(size, wanted, strict=True)):
        raise call.unsupported(f"to {wanted} is in the graph only where it divides a fixed {size}")
    kernel = (int(size[0]) // wanted[0], int(size[1]) // wanted[1])
    return call.add(AvgPool2d(kernel, kernel), value)


def _mean(call: Call) -> str:
    value = call.value(call["self"])
    rank = len(call.shape(value))
    axes = sorted(axis % rank for axis in call["dim"] or ())
    if rank != 4 or axes != [2, 3] or call["dtype"] is not None:
        raise call.unsupported("is in the graph over height and width only")
    pooled = call.add(GlobalAvgPool(), value, shape=(*call.shape(value)[:2], 1, 1))
    return pooled if call["keepdim"] else call.add(Flatten(), pooled)


HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    "aten.max_pool2d.default": _max_pool2d,
    "aten.avg_pool2d.default": _avg_pool2d,
    "aten.adaptive_avg_pool2d.default": _adaptive_avg_pool2d,
    "aten.mean.dim": _mean,
}
