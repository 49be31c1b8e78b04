"""Operators as plain data and back: what a file header holds. Reading checks every field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from reprlib import repr as short_repr
from typing import Any

from gossamer.errors import GraphError
from gossamer.graph.ops import (
    LARGEST_CHANNELS,
    OPS,
    ChannelPermute,
    ChannelSelect,
    Op,
    shuffle_order,
)

_KINDS: Mapping[str, type[Op]] = {op.kind: op for op in OPS}


def op_to_dict(op: Op) -> dict[str, Any]:
    """Return `{"kind": …, attribute: …}`, attributes at their default left out.

    A channel permutation that is a shuffle is written by its number of groups, a selection of
    consecutive channels by its first channel and their count.

    Examples:
        >>> op_to_dict(ChannelPermute((0, 2, 1, 3)))
        {'kind': 'channel_permute', 'channels': 4, 'shuffle': 2}
    """
    if isinstance(op, ChannelPermute):
        groups = _shuffle_groups(op.order)
        if groups is not None:
            return {"kind": op.kind, "channels": len(op.order), "shuffle": groups}
    if isinstance(op, ChannelSelect) and _is_range(op.order):
        return {"kind": op.kind, "start": op.order[0], "count": len(op.order)}
    data: dict[str, Any] = {"kind": op.kind}
    for f in fields(op):  # type: ignore[arg-type]
        value = getattr(op, f.name)
        if f.default is MISSING or value != f.default:
            data[f.name] = list(value) if isinstance(value, tuple) else value
    return data


def op_from_dict(data: Mapping[str, Any]) -> Op:
    """Rebuild an operator; raises GraphError on unknown kinds, fields or types."""
    if not isinstance(data, Mapping):
        raise GraphError("not an operator", got=short_repr(data))
    attributes = dict(data)
    kind = attributes.pop("kind", None)
    cls = _KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise GraphError("unknown operator", got=short_repr(kind), expected=sorted(_KINDS))
    try:
        if cls is ChannelPermute and "order" not in attributes:
            channels, groups = attributes.pop("channels"), attributes.pop("shuffle")
            attributes["order"] = list(shuffle_order(_integer(channels), _integer(groups)))
        if cls is ChannelSelect and "order" not in attributes:
            start, count = _integer(attributes.pop("start")), _integer(attributes.pop("count"))
            attributes["order"] = list(range(start, start + count))
        known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
        return cls(
            **{name: _convert(known[name].type, value) for name, value in attributes.items()}
        )
    except KeyError as error:
        problem = f"unknown or missing attribute of {kind}"
        raise GraphError(problem, got=short_repr(error.args[0])) from None
    except (TypeError, ValueError, OverflowError) as error:  # ShapeError is a ValueError
        raise GraphError(f"bad attributes of {kind}: {error}") from None


def _convert(annotation: Any, value: Any) -> Any:
    """Check and convert one attribute by the annotation text of its field."""
    match annotation:
        case "int":
            return _integer(value)
        case "Level" if type(value) is int:
            return value
        case "bool" if isinstance(value, bool):
            return value
        case "str" if isinstance(value, str):
            return value
        case "float" if type(value) in (int, float) and abs(value) < 1e30:
            return float(value)
        case "Pair" | "Padding" if isinstance(value, list):
            return tuple(_integer(v) for v in value)
        case "tuple[int, ...]" if isinstance(value, list):
            return tuple(v if v == -1 and type(v) is int else _integer(v) for v in value)
    raise ValueError(f"{short_repr(value)} is not a {annotation}")


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_CHANNELS:
        raise ValueError(f"{short_repr(value)} is not an integer in 0…{LARGEST_CHANNELS}")
    return value


def _is_range(order: tuple[int, ...]) -> bool:
    return order[0] >= 0 and order == tuple(range(order[0], order[0] + len(order)))


def _shuffle_groups(order: tuple[int, ...]) -> int | None:
    """Return the number of groups if the order is a channel shuffle."""
    channels = len(order)
    if channels < 2 or order[0] != 0 or order[1] == 0 or channels % order[1]:
        return None
    groups = channels // order[1]
    return groups if shuffle_order(channels, groups) == order else None
