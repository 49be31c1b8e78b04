"""Operators that move, join, cut or repeat elements: they are run on the labels themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from gossamer.compress.channels.arrays import along, compact, first_along, nothing, slabs, varying
from gossamer.compress.channels.flow import Flow, Weights, place
from gossamer.graph.from_torch.traced_call import TracedCall


def _move(flow: Flow, call: TracedCall) -> Any:
    """Run the operator on labels, and note the sizes that its arguments may state."""
    values = [flow.values[node] for node in call.node.all_input_nodes]
    if isinstance(values[0], Weights) and str(call.node.target) in _TURNS:
        return _turned(call, values[0])
    made = _run(flow, call)
    if isinstance(made, tuple | list):
        return tuple(flow.rectangular(compact(part)) for part in made)
    return flow.rectangular(compact(made))


def _run(flow: Flow, call: TracedCall) -> Any:
    args, kwargs = fx.map_arg(
        (call.node.args, call.node.kwargs),
        lambda node: flow.elements(flow.values[node], place(call)),
    )
    target = torch.ops.aten.reshape.default if call.node.target in _VIEWS else call.node.target
    return target(*args, **kwargs)  # type: ignore[operator]


def _turned(call: TracedCall, value: Weights) -> Weights:
    """Exchange the axes of a parameter: sizes that all differ tell which axis went where."""
    probe = torch.empty(range(len(value.axes)), device="meta")
    args = fx.map_arg(call.node.args, lambda node: probe)
    order = call.node.target(*args).shape  # type: ignore[operator]
    return Weights(value.name, tuple(value.axes[axis] for axis in order))


def _reshape(flow: Flow, call: TracedCall) -> Any:
    made = _move(flow, call)
    for axis in varying(made):
        flow.count(call.path, (made.shape[axis],), (slabs(made, axis),))
    return made


def _slice(flow: Flow, call: TracedCall) -> Any:
    source = flow.elements(flow.values[call["self"]], place(call))
    axis = call["dim"] % source.ndim
    if axis in varying(source):
        places, size = slabs(source, axis), source.shape[axis]
        for bound in (call["start"], call["end"]):
            if bound is not None and 0 < bound < size:
                flow.count(call.path, (bound,), (places[:bound],))
    return _move(flow, call)


def _split(flow: Flow, call: TracedCall) -> Any:
    """Parts of equal size have to stay of equal size; listed sizes may each change."""
    source = flow.elements(flow.values[call["self"]], place(call))
    axis = call.arguments.get("dim", 0) % source.ndim
    made = _move(flow, call)
    if axis not in varying(source):
        return made
    sizes = [part.shape[axis] for part in call.node.meta["val"] if axis < part.ndim]
    places = slabs(source, axis).split(sizes)
    listed = call.arguments.get("split_sizes")
    if listed is not None:
        flow.count(call.path, sizes, places)
        for size, counted in zip(sizes, places, strict=True):
            flow.count(call.path, (size,), (counted,))
        return made
    flow.count(call.path, (sizes[0],), (places[0],))
    flow.count(call.path, (sum(sizes),), (slabs(source, axis),))
    if len(set(sizes)) > 1:
        flow.freeze(source, f"{place(call)}, which splits unevenly")
        return made
    for part in places[1:]:
        flow.tie(part, places[0], place(call))
    return made


def _unbind(flow: Flow, call: TracedCall) -> Any:
    source = flow.elements(flow.values[call["self"]], place(call))
    axis = call.arguments.get("dim", 0) % source.ndim
    if axis in varying(source):
        parts = slabs(source, axis)
        flow.tie(parts, parts[:1].expand_as(parts), place(call))
    return _move(flow, call)


def _select(flow: Flow, call: TracedCall) -> Any:
    source = flow.elements(flow.values[call["self"]], place(call))
    axis = call["dim"] % source.ndim
    if axis in varying(source):
        parts = slabs(source, axis)
        flow.tie(parts, parts[:1].expand_as(parts), place(call))
    return _move(flow, call)


def _pad(flow: Flow, call: TracedCall) -> Any:
    """Zero channels around others are channels too, and can go with what is added to them."""
    source = flow.elements(flow.values[call["self"]], place(call))
    amounts = [int(amount) for amount in call["pad"]]
    shape = call.node.meta["val"].shape
    for number in range(source.ndim):
        axis = source.ndim - 1 - number
        low, high = [*amounts, *[0] * (2 * source.ndim)][2 * number : 2 * number + 2]
        if axis in varying(source):
            source = _widened(flow, call, source, axis, (low, high))
    if min(amounts) < 0 or len(varying(source)) > 1:
        flow.freeze(source, place(call))
        return nothing(shape)
    return compact(_stretched(source, shape))


def _widened(
    flow: Flow, call: TracedCall, source: Tensor, axis: int, amounts: tuple[int, int]
) -> Tensor:
    """Return an array with new labels before and behind those along an axis."""
    parts, counted = [], []
    for amount in amounts:
        labels = torch.from_numpy(flow.ties.fresh(max(0, amount)))
        shape = [*source.shape[:axis], len(labels), *source.shape[axis + 1 :]]
        parts.append(along(labels, shape, axis))
        counted.append(labels[:, None])
        flow.count(call.path, (amount,), counted[-1:])
    flow.count(call.path, amounts, counted)
    return compact(torch.cat([parts[0], source, parts[1]], axis))


def _stretched(labels: Tensor, shape: Sequence[int]) -> Tensor:
    """Return an array for other sizes of the axes along which nothing differs."""
    labels = compact(labels)
    constant = [axis for axis in range(labels.ndim) if axis not in varying(labels)]
    return first_along(labels, constant).expand(tuple(shape))


def _index(flow: Flow, call: TracedCall) -> Any:
    """A list of channels: fine if a buffer holds it, which is then renumbered."""
    source = flow.elements(flow.values[call["self"]], place(call))
    listed = call.arguments.get("indices", [call.arguments.get("index")])
    axis = call.arguments.get("dim", len(listed) - 1)
    index = listed[-1]
    if any(part is not None for part in listed[:-1]) or index not in flow.constants:
        flow.freeze(source, place(call))
        return nothing(call.node.meta["val"].shape)
    name, numbers = flow.constants[index]
    if numbers.ndim == 1 and axis in varying(source):
        if name is None:
            flow.freeze(source, f"{place(call)}, which picks by a constant list")
        else:
            flow.index(name, slabs(source, axis))
    made = torch.ops.aten.index.Tensor(source, [*[None] * axis, numbers])
    return flow.rectangular(compact(made))


def _getitem(flow: Flow, call: TracedCall) -> Any:
    source, position = call.node.args[:2]
    return flow.values[source][position]  # type: ignore[index]


_VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)
_TURNS = ("aten.permute.default", "aten.t.default", "aten.transpose.int")
_RESHAPES = "view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int"
_MOVES = (
    "squeeze.default squeeze.dim squeeze.dims unsqueeze.default permute.default transpose.int "
    "swapaxes.default t.default expand.default expand_as.default repeat.default cat.default "
    "concat.default stack.default roll.default flip.default pixel_shuffle.default "
    "pixel_unshuffle.default channel_shuffle.default movedim.int tile.default view_as.default "
    "reshape_as.default repeat_interleave.self_int numpy_T.default"
)

RULES: Mapping[str, Callable[[Flow, TracedCall], Any]] = {
    **{f"aten.{name}": _reshape for name in _RESHAPES.split()},
    **{f"aten.{name}": _move for name in _MOVES.split()},
    "aten.slice.Tensor": _slice,
    "aten.narrow.default": _move,
    "aten.split.Tensor": _split,
    "aten.split_with_sizes.default": _split,
    "aten.chunk.default": _split,
    "aten.unbind.int": _unbind,
    "aten.select.int": _select,
    "aten.pad.default": _pad,
    "aten.constant_pad_nd.default": _pad,
    "aten.index.Tensor": _index,
    "aten.index_select.default": _index,
    "<built-in function getitem>": _getitem,
}
