"""Operators that work on each element by itself: operands of one place go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from gossamer.compress.channels.arrays import along, compact, nothing, varying
from gossamer.compress.channels.flow import Flow, Weights, place
from gossamer.graph.from_torch.traced_call import TracedCall

# Elementwise in evaluation mode, and not tagged as such by torch.
_UNTAGGED = (
    "hardswish hardswish_ hardsigmoid_ relu6_ elu_ celu_ selu_ mish_ dropout dropout_ "
    "feature_dropout feature_dropout_ alpha_dropout alpha_dropout_ feature_alpha_dropout "
    "bernoulli bernoulli_ rsub contiguous clone detach detach_ alias to _to_copy lift_fresh_copy "
    "type_as where hardshrink"
)
_NAMES = frozenset(_UNTAGGED.split())


def is_elementwise(node: fx.Node) -> bool:
    """Return whether an operator works element by element."""
    tags = getattr(node.target, "tags", ())
    name = str(node.target).split(".")[1] if "." in str(node.target) else ""
    return torch.Tag.pointwise in tags or name in _NAMES


def elementwise(flow: Flow, call: TracedCall) -> Any:
    """Return the labels of the result; of operands of one place, all go or none."""
    nodes = [node for node in call.node.all_input_nodes if node in flow.values]
    values = [flow.values[node] for node in nodes]
    values = [value for value in values if isinstance(value, Tensor | Weights)]
    shape = tuple(call.node.meta["val"].shape)
    if not values:
        return nothing(shape)
    weights = [value for value in values if isinstance(value, Weights)]
    if len(weights) == len(values):
        return _weights(flow, call, weights, shape)
    first, *others = sorted(values, key=lambda value: isinstance(value, Weights))
    assert isinstance(first, Tensor)
    for value in others:
        first = _join(flow, call, first, _aligned(flow, call, value, first))
    return flow.rectangular(compact(first.expand(shape)))


def _weights(flow: Flow, call: TracedCall, values: Sequence[Weights], shape: Any) -> Any:
    """Combine parameters axis by axis, such as a weight and its mask."""
    first = next((value for value in values if value.shape == shape), None)
    if first is None:
        for value in values:
            flow.freeze(value, place(call))
        return nothing(shape)
    for value in values:
        for ours, theirs in zip(reversed(first.axes), reversed(value.axes), strict=False):
            if len(ours) == len(theirs):
                flow.tie(ours, theirs, place(call))
            else:
                flow.freeze(theirs, place(call))
    return first


def _aligned(flow: Flow, call: TracedCall, value: Tensor | Weights, other: Tensor) -> Tensor:
    """Return an operand's labels; of a parameter with long axes, those where channels differ."""
    if isinstance(value, Tensor):
        return value
    offset = other.ndim - len(value.axes)
    long = [axis for axis, size in enumerate(value.shape) if size > 1]
    shared = [axis for axis in long if axis + offset in varying(other)]
    if len(long) > 1 and len(shared) == 1:
        return along(value.axes[shared[0]], value.shape, shared[0])
    return flow.elements(value, place(call))


def _join(flow: Flow, call: TracedCall, first: Tensor, second: Tensor) -> Tensor:
    """Tie two operands; what is repeated for all channels of the other has to stay itself."""
    shape = torch.broadcast_shapes(first.shape, second.shape)
    ours, theirs = (labels.expand(shape) for labels in (first, second))
    differing = set(varying(ours)) | set(varying(theirs))
    ours_repeats, theirs_repeats = (
        _repeats(labels, shape, differing) for labels in (first, second)
    )
    if ours_repeats:
        flow.freeze(first, place(call))
    if theirs_repeats:
        flow.freeze(second, place(call))
    if ours_repeats or theirs_repeats:
        return (
            nothing(shape) if ours_repeats and theirs_repeats else theirs if ours_repeats else ours
        )
    flow.tie(ours, theirs, place(call))
    return torch.where((ours > 0) & (theirs > 0), ours, 0) if bool((theirs == 0).any()) else ours


def _repeats(labels: Tensor, shape: Sequence[int], differing: set[int]) -> bool:
    """Return whether an operand has size 1 along an axis of the other's channels."""
    offset = len(shape) - labels.ndim
    return any(
        size > 1 and axis in differing and (axis < offset or labels.shape[axis - offset] == 1)
        for axis, size in enumerate(shape)
    )
