"""Operators that pick, join or pad channels and pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gossamer.graph.from_torch.builder import Call, Padded, sizes
from gossamer.graph.from_torch.reshaping import _reshape
from gossamer.graph.ops import ChannelPermute, ChannelSelect, Concat, MaxPool2d, Softmax


def select_channels(call: Call, value: str, order: Sequence[int], shape: Any = None) -> str:
    """Add a node whose channel i is channel order[i] of a value, or zero where order[i] is −1."""
    chosen = tuple(int(channel) for channel in order)
    identity = tuple(range(int(call.shape(value)[1])))
    if chosen == identity:
        return value
    cls = ChannelPermute if tuple(sorted(chosen)) == identity else ChannelSelect
    return call.add(cls(chosen), value, shape=shape)


def _cat(call: Call) -> str:
    names = [call.value(part) for part in call["tensors"]]
    axis = call.arguments.get("dim", 0) % len(call.shape(names[0]))
    if axis != 1:
        raise call.unsupported("joins along another axis than channels")
    return call.add(Concat(), *names)


def _softmax(call: Call) -> str:
    value = call.value(call["self"])
    if call["dim"] % len(call.shape(value)) != 1:
        raise call.unsupported("runs along another axis than channels")
    return call.add(Softmax(), value)


def _index(call: Call) -> str:
    first, *others = call["indices"]
    if first is not None or len(others) != 1:
        raise call.unsupported("picks along another axis than channels")
    return _pick(call, others[0])


def _index_select(call: Call) -> str:
    if call["dim"] % len(sizes(call["self"])) != 1:
        raise call.unsupported("picks along another axis than channels")
    return _pick(call, call["index"])


def _pick(call: Call, index: Any) -> str:
    name, positions = call.value(call["self"]), call.constant(index)
    assert positions is not None
    channels = int(call.shape(name)[1])
    if positions.ndim != 1 or call.raw(index).is_floating_point() or not len(positions):
        raise call.unsupported("picks by something that is not a list of channels")
    order = [int(p) % channels for p in positions]
    return select_channels(call, name, order)


def _slice(call: Call) -> Any:
    shape = sizes(call["self"])
    axis, step = call["dim"] % len(shape), call["step"]
    start, end = call["start"] or 0, call["end"]
    if sizes(call.node) == shape and step == 1:
        return call.raw(call["self"])
    name = call.value(call["self"])
    size = shape[axis]
    if axis == 1 and isinstance(size, int):
        return select_channels(call, name, range(size)[start:end:step])
    whole = end is None or (isinstance(end, int) and end >= 2**62) or end == size
    if axis >= 2 and start == 0 and whole:
        stride = (step, 1) if axis == 2 else (1, step)
        return call.add(MaxPool2d(kernel=(1, 1), stride=stride), name)
    raise call.unsupported("cuts out a part of the picture or batch")


def _select(call: Call) -> Any:
    shape = sizes(call["self"])
    if shape[call["dim"] % len(shape)] != 1:
        raise call.unsupported("picks a part of the picture or batch")
    return _reshape(call)


def _split(call: Call) -> list[str]:
    """Return one value a part of the channels."""
    if call.arguments.get("dim", 0) % len(sizes(call["self"])) != 1:
        raise call.unsupported("splits another axis than channels")
    name, parts, start = call.value(call["self"]), [], 0
    for part in call.node.meta["val"]:
        end = start + int(part.shape[1])
        shape = (*call.shape(name)[:1], end - start, *call.shape(name)[2:])
        parts.append(select_channels(call, name, range(start, end), shape))
        start = end
    return parts


def _getitem(call: Call) -> Any:
    source, position = call.node.args[:2]
    return call.raw(source)[position]  # type: ignore[arg-type]


def _pad(call: Call) -> Any:
    amounts = [int(amount) for amount in call["pad"]]
    value = call.arguments.get("value")
    if call.arguments.get("mode", "constant") != "constant" or value not in (None, 0):
        raise call.unsupported("pads with something other than zeros")
    rank = len(sizes(call["self"]))
    before, after = ([0] * rank for _ in range(2))
    for axis, i in enumerate(range(0, len(amounts), 2)):
        before[-1 - axis], after[-1 - axis] = amounts[i], amounts[i + 1]
    if min(amounts) < 0 or before[0] or after[0]:
        raise call.unsupported("cuts, or pads the batch")
    name = call.value(call["self"])
    shape = call.shape(name)
    if before[1] or after[1]:
        order = [-1] * before[1] + list(range(int(shape[1]))) + [-1] * after[1]
        name = select_channels(call, name, order, (shape[0], len(order), *shape[2:]))
    sides = (*before[2:], *after[2:])
    return Padded(name, sides) if any(sides) else name  # type: ignore[arg-type]


HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    "aten.cat.default": _cat,
    "aten.concat.default": _cat,
    "aten.softmax.int": _softmax,
    "aten._softmax.default": _softmax,
    "aten.index.Tensor": _index,
    "aten.index_select.default": _index_select,
    "aten.slice.Tensor": _slice,
    "aten.select.int": _select,
    "aten.split.Tensor": _split,
    "aten.split_with_sizes.default": _split,
    "aten.chunk.default": _split,
    "<built-in function getitem>": _getitem,
    "aten.pad.default": _pad,
    "aten.constant_pad_nd.default": _pad,
}
