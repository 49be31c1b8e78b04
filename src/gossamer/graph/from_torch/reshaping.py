"""Operators that move nothing or only regroup axes: views, transpositions, copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from gossamer.graph.from_torch.builder import Call, Regrouped, Sizes, sizes
from gossamer.graph.ops import Flatten


def _same(call: Call) -> Any:
    """Pass the value on: copies, and dropout in evaluation."""
    if call.arguments.get("train"):
        raise call.unsupported("is random also in evaluation")
    name = "self" if "self" in call.arguments else "input"
    if sizes(call[name]) != sizes(call.node):
        raise call.unsupported("changes the shape")
    if call.node.meta["val"].dtype != call[name].meta["val"].dtype:
        raise call.unsupported("changes the number type")
    return call.raw(call[name])


def _regrouped(call: Call, argument: Any) -> Regrouped:
    """Return an argument's value as a regrouping of its channels."""
    raw = call.raw(argument)
    if isinstance(raw, Regrouped):
        return raw
    name = call.value(argument)
    shape = call.shape(name)
    if not isinstance(shape[1], int):
        raise call.unsupported("reshapes a value whose features are not fixed")
    return Regrouped(name, np.arange(shape[1]), len(shape) == 4)


def _reshape(call: Call) -> Any:
    """Reshape in row-major order: split or join channels, flatten, or keep."""
    if sizes(call["self"]) == sizes(call.node):
        return call.raw(call["self"])
    target = sizes(call.node)
    if _is_flatten(call, target):
        return call.add(Flatten(), call.value(call["self"]))
    value = _regrouped(call, call["self"])
    source = call.shape(value.source)
    if target[0] == source[0]:
        picture = source[2:]
        single = picture in ((), (1, 1))
        outer = _channel_axes(target[1:-2], value.order)
        if outer and target[-2:] == (picture or (1, 1)) and (value.spatial or single):
            return Regrouped(value.source, value.order.reshape(outer), True)
        outer = _channel_axes(target[1:], value.order)
        if outer and (single or not value.spatial):
            return Regrouped(value.source, value.order.reshape(outer), False)
    raise call.unsupported(f"from {sizes(call['self'])} to {target} is not in the graph")


def _is_flatten(call: Call, target: Sizes) -> bool:
    """Whether (N, C, H, W) becomes (N, C·H·W), and not merely (N, C, 1, 1) becomes (N, C)."""
    shape = sizes(call["self"])
    if len(shape) != 4 or len(target) != 2 or target[0] != shape[0]:
        return False
    raw = call.raw(call["self"])
    return not isinstance(raw, Regrouped) or raw.order.ndim == 1


def _channel_axes(shape: Sizes, order: np.ndarray) -> list[int]:
    """Return the shape as fixed sizes if it holds all channels, else nothing."""
    fixed = [size for size in shape if isinstance(size, int)]
    return fixed if len(fixed) == len(shape) and prod(fixed) == order.size else []


def _permute(call: Call) -> Any:
    rank = len(sizes(call["self"]))
    axes = _axes(call, rank)
    if axes == list(range(rank)):
        return call.raw(call["self"])
    value = _regrouped(call, call["self"])
    depth = value.order.ndim
    inner = axes[1 : 1 + depth]
    if axes != [0, *inner, *range(1 + depth, rank)] or sorted(inner) != [*range(1, 1 + depth)]:
        raise call.unsupported("moves other axes than those of channels")
    order = value.order.transpose([axis - 1 for axis in inner])
    return Regrouped(value.source, order, value.spatial)


def _axes(call: Call, rank: int) -> list[int]:
    """Return the order of axes that a permutation or an exchange of two axes asks for."""
    if "dims" in call.arguments:
        return [axis % rank for axis in call["dims"]]
    first, second = (call[name] % rank for name in call.arguments if name != "self")
    axes = list(range(rank))
    axes[first], axes[second] = second, first
    return axes


_VIEWS = (
    "view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int "
    "squeeze.default squeeze.dim squeeze.dims unsqueeze.default"
)
_COPIES = (
    "dropout.default dropout_.default feature_dropout.default feature_dropout_.default "
    "alpha_dropout.default alpha_dropout_.default feature_alpha_dropout.default "
    "contiguous.default clone.default detach.default alias.default to.dtype to.device "
    "to.dtype_layout _to_copy.default lift_fresh_copy.default"
)

HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    **{f"aten.{name}": _reshape for name in _VIEWS.split()},
    **{f"aten.{name}": _same for name in _COPIES.split()},
    "aten.permute.default": _permute,
    "aten.transpose.int": _permute,
    "aten.swapaxes.default": _permute,
}
