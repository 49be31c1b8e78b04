"""Graph ↔ header: everything but the weights, as plain data for JSON.

Tensors have no names of their own here: they are numbered in the order in which nodes first use
them, and a node's weights are named `node.role` unless the header says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from gossamer.codec.limits import Budget, Limits
from gossamer.errors import FormatError, LimitExceededError
from gossamer.graph import Graph, Input, Node
from gossamer.graph.records import op_from_dict, op_to_dict
from gossamer.images import InputRecord

Shape = tuple[int, ...]
_LARGEST_SIZE = 2**32
_HIGHEST_RANK = 8
# A channel of a permutation is a Python integer in a few lists.
_CHANNEL_SYMBOLS = 16


@dataclass(frozen=True)
class Outline:
    """A graph without its weights.

    Args:
        name: of the network.
        input: of the network.
        nodes: in order.
        output: name of a value.
        record: of the input, if known.
        tensors: name → shape, in the order of first use.
    """

    name: str
    input: Input
    nodes: tuple[Node, ...]
    output: str
    record: InputRecord | None
    tensors: Mapping[str, Shape]


def describe(graph: Graph) -> dict[str, Any]:
    """Return the header of a graph, without its sections."""
    header: dict[str, Any] = {
        "name": graph.name,
        "input": [graph.input.name, _plain(graph.input.example), sorted(graph.input.free)],
        "nodes": _describe_nodes(graph),
        "shapes": [_plain(graph.weights[name].shape) for name in weight_names(graph.nodes)],
    }
    if graph.output != _last_value(graph.input, graph.nodes):
        header["output"] = graph.output
    if graph.record is not None:
        header["record"] = {key: _plain(value) for key, value in graph.record.to_dict().items()}
    return header


def weight_names(nodes: Iterable[Node]) -> list[str]:
    """Return the names of all weights in the order in which nodes first use them."""
    return list(dict.fromkeys(node.weights[role] for node in nodes for role in _roles(node)))


def outline(header: Mapping[str, Any], limits: Limits, budget: Budget) -> Outline:
    """Rebuild a graph without its weights.

    Raises:
        FormatError: if the header is not that of a graph.
        LimitExceededError: if it asks for too much.
    """
    match header:
        case {
            "name": str(name),
            "input": [str(value), [*example], [*free]],
            "nodes": [*nodes],
            "shapes": [*shapes],
        }:
            pass
        case _:
            raise FormatError(
                "the header misses a field or has one of a wrong type", where="header"
            )
    if len(nodes) > limits.nodes:
        raise LimitExceededError("too many nodes", got=len(nodes), expected=f"≤ {limits.nodes}")
    source = Input(value, _sizes(example), frozenset(_axes(free, len(example))))
    built = _build_nodes(source, nodes, budget)
    output, record = header.get("output", _last_value(source, built)), header.get("record")
    return Outline(
        name,
        source,
        built,
        _strings([output])[0],
        None if record is None else InputRecord.from_dict(record),
        _tensors(built, shapes, limits),
    )


def _describe_nodes(graph: Graph) -> list[dict[str, Any]]:
    described, last = [], graph.input.name
    for node in graph.nodes:
        item: dict[str, Any] = {"name": node.name, "op": op_to_dict(node.op)}
        if node.inputs != (last,):
            item["inputs"] = list(node.inputs)
        roles = _roles(node)
        if any(node.weights[role] != f"{node.name}.{role}" for role in roles):
            item["weights"] = {role: node.weights[role] for role in roles}
        elif roles:
            item["weights"] = roles
        described.append(item)
        last = node.name
    return described


def _build_nodes(source: Input, items: list[Any], budget: Budget) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for item in items:
        match item:
            case {"name": str(name), "op": {**op}}:
                budget.take(_shuffle_cost(op))
                inputs = item.get("inputs", [_last_value(source, nodes)])
                weights = _weights(name, item.get("weights", []))
                nodes.append(Node(name, op_from_dict(op), tuple(_strings(inputs)), weights))
            case _:
                raise FormatError("not a node", where="header", got=str(item)[:80])
    return tuple(nodes)


def _tensors(nodes: Iterable[Node], shapes: list[Any], limits: Limits) -> dict[str, Shape]:
    names = weight_names(nodes)
    if len(names) != len(shapes):
        raise FormatError(
            "one shape a weight", where="header", got=len(shapes), expected=len(names)
        )
    tensors = {name: _sizes(shape) for name, shape in zip(names, shapes, strict=True)}
    entries = sum(prod(shape) for shape in tensors.values())
    if entries > limits.entries:
        raise LimitExceededError(
            "the weights have too many entries",
            got=entries,
            expected=f"≤ {limits.entries}",
            hint="pass larger Limits if you trust the file",
        )
    return tensors


def _roles(node: Node) -> list[str]:
    """Return the roles that a node fills, in the order in which its operator names them."""
    named = [*node.op.roles, *node.op.optional_roles]
    return sorted(
        node.weights, key=lambda role: (named.index(role) if role in named else len(named), role)
    )


def _weights(node: str, weights: Any) -> dict[str, str]:
    if isinstance(weights, dict):
        return dict(zip(weights, _strings(list(weights.values())), strict=True))
    return {role: f"{node}.{role}" for role in _strings(weights)}


def _last_value(source: Input, nodes: Sequence[Node]) -> str:
    return nodes[-1].name if nodes else source.name


def _shuffle_cost(op: Mapping[str, Any]) -> int:
    """Return the symbols to charge for a shuffle: a few bytes ask for any number of channels."""
    channels = op.get("channels", 0)
    return _CHANNEL_SYMBOLS * channels if isinstance(channels, int) and channels > 0 else 0


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise FormatError("not a list of names", where="header", got=str(values)[:80])
    return values


def _sizes(values: Any) -> Shape:
    if not isinstance(values, list) or len(values) > _HIGHEST_RANK:
        raise FormatError("not a shape", where="header", got=str(values)[:80])
    for value in values:
        if type(value) is not int or not 0 <= value < _LARGEST_SIZE:
            raise FormatError(
                "not a size", where="header", got=str(value)[:80], expected=f"< {_LARGEST_SIZE}"
            )
    return tuple(values)


def _axes(values: list[Any], rank: int) -> list[int]:
    if rank not in (2, 4) or any(
        type(value) is not int or not 0 <= value < rank for value in values
    ):
        raise FormatError(
            "not the axes of (N, C, H, W) or (N, F)", where="header", got=str(values)[:80]
        )
    return values
