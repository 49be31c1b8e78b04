"""Operators with a weight matrix: channels end at its columns, and new ones begin at its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from gossamer.compress.channels.arrays import along, first_along, line, nothing, varying
from gossamer.compress.channels.flow import Choice, Flow, LayerUse, Pairs, Weights, place
from gossamer.graph.from_torch.traced_call import TracedCall


def _convolution(flow: Flow, call: TracedCall) -> Tensor:
    shape, groups = call.node.meta["val"].shape, int(call.arguments.get("groups", 1))
    weight = flow.values[call["weight"]]
    if _runs_along_channels(flow, call):
        return _along_channels(flow, call)
    inputs = _channels(flow, call, call["input"], 1)
    if inputs is None or not isinstance(weight, Weights):
        return _refuse(flow, call, shape)
    rows, columns = weight.axes[:2]
    if groups == 1:
        flow.tie(inputs, columns, place(call))
    elif len(columns) == 1:
        flow.tie(inputs[:, None], rows.view(groups, -1), place(call))
    else:
        flow.choices.append(_grouped(inputs, rows, columns, groups))
    if groups > 1:
        flow.count(call.path, (groups,), (rows.view(groups, -1),))
    return _finish(flow, call, _layer(weight, inputs, rows, columns, shape[2:]))


def _transposed(flow: Flow, call: TracedCall) -> Tensor:
    shape, groups = call.node.meta["val"].shape, int(call.arguments.get("groups", 1))
    weight = flow.values[call["weight"]]
    inputs = _channels(flow, call, call["input"], 1)
    if inputs is None or not isinstance(weight, Weights) or groups > 1:
        return _refuse(flow, call, shape)
    columns, rows = weight.axes[:2]
    flow.tie(inputs, columns, place(call))
    places = flow.values[call["input"]].shape[2:]
    return _finish(flow, call, _layer(weight, inputs, rows, columns, places))


def _linear(flow: Flow, call: TracedCall) -> Tensor:
    return _matrix(flow, call, call["input"], flow.values[call["weight"]], transposed=False)


def _addmm(flow: Flow, call: TracedCall) -> Tensor:
    return _matrix(flow, call, call["mat1"], flow.values[call["mat2"]], transposed=True)


def _matmul(flow: Flow, call: TracedCall) -> Tensor:
    """The product of two values, of which one may be a weight (F, K)."""
    first, second = call.node.all_input_nodes[0], call.node.all_input_nodes[-1]
    left, right = flow.values[first], flow.values[second]
    shape = call.node.meta["val"].shape
    if isinstance(right, Weights) and len(right.axes) == 2:
        return _matrix(flow, call, first, right, transposed=True)
    if isinstance(left, Weights) or isinstance(right, Weights) or min(left.ndim, right.ndim) < 2:
        return _refuse(flow, call, shape)
    # Channels that only one side has, and over which no sum runs, are in the product too.
    for ours, theirs, summed in ((left, right, -1), (right, left, -2)):
        if varying(ours) and not varying(theirs) and summed % ours.ndim not in varying(ours):
            flow.freeze(theirs, place(call))
            return first_along(ours, [summed % ours.ndim]).expand(shape)
    return _refuse(flow, call, shape)


def _matrix(flow: Flow, call: TracedCall, x: Any, weight: Any, *, transposed: bool) -> Tensor:
    shape = call.node.meta["val"].shape
    if not isinstance(weight, Weights) or len(weight.axes) != 2:
        return _refuse(flow, call, shape)
    first, second = weight.axes
    columns, rows = (first, second) if transposed else (second, first)
    labels = flow.elements(flow.values[x], place(call))
    if varying(labels) and labels.ndim - 1 not in varying(labels):
        flow.freeze(weight, f"{place(call)}, which runs along another axis than channels")
        return first_along(labels, [labels.ndim - 1]).expand(shape)
    inputs = _channels(flow, call, x, labels.ndim - 1)
    if inputs is None:
        return _refuse(flow, call, shape)
    flow.tie(inputs, columns, place(call))
    layer = _layer(weight, inputs, rows, columns, shape[1:-1])
    return _finish(flow, call, replace(layer, convolution=len(shape) == 4))


def _finish(flow: Flow, call: TracedCall, layer: LayerUse) -> Tensor:
    """Tie the bias, note the layer and return the labels of its output."""
    rows, bias = (
        torch.from_numpy(layer.rows),
        call.arguments.get("bias", call.arguments.get("self")),
    )
    if bias in flow.values and isinstance(flow.values[bias], Weights):
        flow.tie(rows, flow.values[bias].axes[0], place(call))
    flow.layers.append(layer)
    shape = call.node.meta["val"].shape
    return along(rows, shape, 1 if len(flow.shapes[layer.weight]) > 2 else len(shape) - 1)


def _layer(
    weight: Weights, inputs: Tensor, rows: Tensor, columns: Tensor, places: Sequence[int]
) -> LayerUse:
    return LayerUse(
        weight.name,
        inputs.numpy(),
        rows.numpy(),
        columns.numpy(),
        positions=prod(places),
        convolution=len(weight.axes) > 2,
    )


def _channels(flow: Flow, call: TracedCall, argument: Any, axis: int) -> Tensor | None:
    """Return the labels along the axis that is summed over, None if others differ too."""
    labels = flow.elements(flow.values[argument], place(call))
    if set(varying(labels)) - {axis}:
        return None
    return line(labels, axis)


def _runs_along_channels(flow: Flow, call: TracedCall) -> bool:
    """Return whether one filter runs along the axis of channels, and all of it."""
    labels, weight = flow.values[call["input"]], flow.values[call["weight"]]
    return (
        isinstance(labels, Tensor)
        and weight.shape[:2] == (1, 1)
        and labels.ndim == 3
        and varying(labels) == (2,)
        and labels.shape == call.node.meta["val"].shape
        and max(call.arguments.get("stride", [1])) == 1
    )


def _along_channels(flow: Flow, call: TracedCall) -> Tensor:
    """Efficient channel attention: zeros at the end are what padding puts there."""
    labels = flow.values[call["input"]]
    flow.freeze(flow.values[call["weight"]], place(call))
    flow.orders.append(line(labels, 2).numpy())
    return labels


def _grouped(inputs: Tensor, rows: Tensor, columns: Tensor, groups: int) -> Choice:
    """Offer to remove the same positions of every group, or whole groups."""
    members, filters = inputs.view(groups, -1).numpy(), rows.view(groups, -1).numpy()
    positions: Pairs = (
        (members, columns.expand(groups, -1).numpy()),
        (filters, rows.view(groups, -1)[:1].expand(groups, -1).numpy()),
    )
    first = inputs.view(groups, -1)[:, :1]
    whole: Pairs = (
        (members, first.expand(groups, members.shape[1]).numpy()),
        (filters, first.expand(groups, filters.shape[1]).numpy()),
    )
    return Choice(torch.cat([inputs, rows]).numpy(), (positions, whole))


def _refuse(flow: Flow, call: TracedCall, shape: Any) -> Tensor:
    """Keep everything that goes in."""
    for node in call.node.all_input_nodes:
        if isinstance(value := flow.values[node], Tensor | Weights):
            flow.freeze(value, place(call))
    return nothing(shape)


RULES: Mapping[str, Callable[[Flow, TracedCall], Any]] = {
    **{
        f"aten.{name}": _convolution
        for name in ("conv1d.default", "conv2d.default", "conv2d.padding", "conv1d.padding")
    },
    "aten.conv_transpose2d.input": _transposed,
    "aten.linear.default": _linear,
    "aten.addmm.default": _addmm,
    "aten.matmul.default": _matmul,
    "aten.bmm.default": _matmul,
    "aten.mm.default": _matmul,
}
