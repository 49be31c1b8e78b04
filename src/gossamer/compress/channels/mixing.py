"""Operators that mix channels without a weight matrix, or go with one number a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from gossamer.compress.channels.arrays import compact, first_along, line, nothing, slabs, varying
from gossamer.compress.channels.flow import Flow, Weights, place
from gossamer.graph.from_torch.traced_call import TracedCall

_PER_CHANNEL = ("weight", "bias", "running_mean", "running_var")


def _channel_norm(flow: Flow, call: TracedCall) -> Any:
    """Batch and instance norm, PReLU: each channel by itself."""
    labels = flow.values[call["input" if "input" in call.arguments else "self"]]
    if set(varying(labels)) - {1}:
        flow.freeze(labels, place(call))
    channels = line(labels, 1)
    for name in _PER_CHANNEL:
        own = flow.values.get(call.arguments.get(name))  # type: ignore[arg-type]
        if isinstance(own, Weights) and len(own.axes[0]) == len(channels):
            flow.tie(channels, own.axes[0], place(call))
    return labels


def _group_norm(flow: Flow, call: TracedCall) -> Any:
    """Whole groups can go: the others' statistics do not see them."""
    labels = _channel_norm(flow, call)
    channels, groups = line(labels, 1), int(call["num_groups"])
    if groups == 1:
        flow.freeze(labels, f"{place(call)}, whose statistics run over all channels")
        return labels
    members = channels.view(groups, -1)
    flow.tie(members, members[:, :1].expand_as(members), place(call))
    flow.count(call.path, (groups,), (members,))
    return labels


def _layer_norm(flow: Flow, call: TracedCall) -> Any:
    labels = flow.elements(flow.values[call["input"]], place(call))
    count = len(call["normalized_shape"])
    for name in ("weight", "bias"):
        own = flow.values.get(call.arguments.get(name))  # type: ignore[arg-type]
        if isinstance(own, Weights):
            flow.freeze(own, place(call))
    if any(axis >= labels.ndim - count for axis in varying(labels)):
        flow.freeze(labels, f"{place(call)}, whose statistics run over all channels")
    return labels


def _along_axis(flow: Flow, call: TracedCall) -> Any:
    """Softmax: what shares a sum goes together."""
    labels = flow.elements(flow.values[call["self"]], place(call))
    _together(flow, call, labels, [call["dim"] % labels.ndim])
    return labels


def _reduction(flow: Flow, call: TracedCall) -> Any:
    """Sums, means, extremes over some axes."""
    labels = flow.elements(flow.values[call["self"]], place(call))
    axes = call.arguments.get("dim")
    axes = range(labels.ndim) if axes in (None, []) else axes if isinstance(axes, list) else [axes]
    axes = sorted({axis % labels.ndim for axis in axes}) if labels.ndim else []
    _together(flow, call, labels, axes)
    made = call.node.meta["val"]
    if isinstance(made, tuple | list):
        return tuple(_reduced(labels, axes, part.shape) for part in made)
    return _reduced(labels, axes, made.shape)


def _reduced(labels: Tensor, axes: list[int], shape: Any) -> Tensor:
    """Return the labels of a reduced value; nothing is left of channels that all were mixed."""
    kept = set(varying(labels)) - set(axes)
    if not kept and set(varying(labels)):
        return nothing(shape)
    return compact(_narrowed(labels, axes, shape))


def _narrowed(labels: Tensor, axes: list[int], shape: Any) -> Tensor:
    labels = first_along(labels, axes)
    for axis in reversed(axes):
        if labels.ndim > len(shape):
            labels = labels.squeeze(axis)
    return labels.expand(shape)


def _together(flow: Flow, call: TracedCall, labels: Tensor, axes: list[int]) -> None:
    """Tie what is mixed along some axes; channels that are all mixed have to stay."""
    differing = set(varying(labels))
    if not differing & set(axes):
        return
    if not differing - set(axes):
        flow.freeze(labels, f"{place(call)}, which mixes all channels")
        return
    for axis in differing & set(axes):
        parts = slabs(labels, axis)
        flow.tie(parts[:1].expand_as(parts), parts, place(call))


_REDUCTIONS = (
    "mean.dim mean.default sum.dim_IntList sum.default amax.default amin.default max.dim min.dim "
    "max.default var.correction var.dim std.correction std.dim var_mean.correction prod.dim_int "
    "logsumexp.default linalg_vector_norm.default argmax.default norm.ScalarOpt_dim"
)

RULES: Mapping[str, Callable[[Flow, TracedCall], Any]] = {
    "aten.batch_norm.default": _channel_norm,
    "aten.instance_norm.default": _channel_norm,
    "aten.prelu.default": _channel_norm,
    "aten.group_norm.default": _group_norm,
    "aten.layer_norm.default": _layer_norm,
    "aten.rms_norm.default": _layer_norm,
    "aten.softmax.int": _along_axis,
    "aten._softmax.default": _along_axis,
    "aten.log_softmax.int": _along_axis,
    "aten.cumsum.default": _along_axis,
    **{f"aten.{name}": _reduction for name in _REDUCTIONS.split()},
}
