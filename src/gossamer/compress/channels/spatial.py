"""Operators on the picture: channels pass through, whatever happens to rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from gossamer.compress.channels.arrays import nothing, varying
from gossamer.compress.channels.flow import Flow, place
from gossamer.graph.from_torch.traced_call import TracedCall


def _spatial(flow: Flow, call: TracedCall) -> Any:
    source, made = call.node.all_input_nodes[0], call.node.meta["val"]
    labels = flow.elements(flow.values[source], place(call))
    if isinstance(made, tuple | list):
        return tuple(_resized(flow, call, labels, part.shape) for part in made)
    return _resized(flow, call, labels, made.shape)


def _resized(flow: Flow, call: TracedCall, labels: Tensor, shape: Any) -> Tensor:
    """Return the labels for another picture size; labels must not differ within a picture."""
    changed = [axis for axis in range(labels.ndim) if labels.shape[axis] != shape[axis]]
    picture = range(labels.ndim - 2, labels.ndim)
    if set(varying(labels)) & {*changed, *picture}:
        flow.freeze(labels, place(call))
        return nothing(shape)
    for axis in changed:
        labels = labels.narrow(axis, 0, 1)
    return labels.expand(shape)


_OPERATORS = (
    "max_pool2d.default max_pool2d_with_indices.default avg_pool2d.default "
    "adaptive_avg_pool2d.default adaptive_max_pool2d.default upsample_nearest2d.vec "
    "upsample_bilinear2d.vec upsample_bicubic2d.vec upsample_nearest2d.default "
    "upsample_bilinear2d.default reflection_pad2d.default replication_pad2d.default"
)

RULES: Mapping[str, Callable[[Flow, TracedCall], Any]] = {
    f"aten.{name}": _spatial for name in _OPERATORS.split()
}
