"""Which channels of each value are always zero, needed by nobody, and removable everywhere at once.

A mask is a boolean array, one entry a channel (a feature after flattening).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.interpret import activate
from gossamer.graph.ops import (
    Activation,
    Add,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    KWinners,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    ScaleShift,
    Softmax,
)
from gossamer.graph.verify import infer_shapes

Masks = dict[str, np.ndarray]


def removable_channels(graph: Graph) -> Masks:
    """Return value → mask of the channels that can be removed without changing the output.

    A channel can go if it is always zero or if nobody needs it, and if every node that makes or
    reads it can do without: additions, concatenations and depthwise convolutions must agree on all
    sides, other group convolutions keep all their channels. Every value keeps one channel.
    """
    channels = {name: shape[1] for name, shape in infer_shapes(graph).items()}
    zero, needed = _zero_channels(graph, channels), _needed_channels(graph, channels)
    drop = {name: zero[name] | ~needed[name] for name in channels}
    drop[graph.input.name][:] = drop[graph.output][:] = False
    while _narrow(graph, drop):
        pass
    return drop


def is_depthwise(op: Conv2d, weight_shape: tuple[int, ...]) -> bool:
    """Whether each output channel reads the input channel of the same number."""
    return op.groups > 1 and weight_shape[:2] == (op.groups, 1)


def _connections(graph: Graph, node: Node) -> np.ndarray:
    """Return (groups, K/G, C/G): whether output channel k of a group reads its channel c."""
    weight = graph.weights[node.weights["weight"]].to_dense()
    nonzero = (weight != 0).reshape(*weight.shape[:2], -1).any(axis=2)
    if "scale" in node.weights:
        nonzero &= (graph.weights[node.weights["scale"]].to_dense() != 0)[:, None]
    groups = node.op.groups if isinstance(node.op, Conv2d) else 1
    return nonzero.reshape(groups, len(weight) // groups, -1)


def _zero_channels(graph: Graph, channels: Mapping[str, int]) -> Masks:
    """Return value → mask of channels that are zero for every input."""
    zero = {graph.input.name: np.zeros(channels[graph.input.name], bool)}
    for node in graph.nodes:
        zero[node.name] = _makes_zero(graph, node, [zero[name] for name in node.inputs], channels)
    return zero


def _makes_zero(
    graph: Graph, node: Node, inputs: list[np.ndarray], channels: Mapping[str, int]
) -> np.ndarray:
    vectors = {
        role: graph.weights[name].to_dense()
        for role, name in node.weights.items()
        if role != "weight"
    }
    match node.op:
        case Conv2d() | Linear():
            reads = _connections(graph, node)
            live = ~inputs[0].reshape(len(reads), 1, -1)
            silent = ~(reads & live).any(axis=2).ravel()
            bias = vectors.get("bias", np.zeros(len(silent)))
            return silent & (activate(bias, node.op.activation) == 0)
        case LayerNorm():
            return (vectors["scale"] == 0) & (vectors["shift"] == 0)
        case ScaleShift():
            return (inputs[0] | (vectors["scale"] == 0)) & (vectors["shift"] == 0)
        case Add(activation):
            return inputs[0] & inputs[1] & _keeps_zero(activation)
        case Activation(function):
            return inputs[0] & _keeps_zero(function)
        case Multiply():
            return inputs[0] | inputs[1]
        case ChannelSelect(order):
            return np.append(inputs[0], True)[list(order)]
        case Concat():
            return np.concatenate(inputs)
        case ChannelPermute(order):
            return inputs[0][list(order)]
        case Flatten():
            return np.repeat(inputs[0], channels[node.name] // len(inputs[0]))
        case Softmax():
            return np.zeros_like(inputs[0])
    return inputs[0].copy()


def _keeps_zero(activation: str) -> bool:
    return bool(activate(np.zeros(1), activation)[0] == 0)


def _needed_channels(graph: Graph, channels: Mapping[str, int]) -> Masks:
    """Return value → mask of channels that the output depends on."""
    needed = {name: np.zeros(count, bool) for name, count in channels.items()}
    needed[graph.output][:] = True
    for node in reversed(graph.nodes):
        for name, mask in zip(node.inputs, _reads(graph, node, needed, channels), strict=True):
            needed[name] |= mask
    return needed


def _reads(
    graph: Graph, node: Node, needed: Masks, channels: Mapping[str, int]
) -> list[np.ndarray]:
    """Return, for each input, the channels that the needed channels of a node depend on."""
    out = needed[node.name]
    match node.op:
        case Conv2d() | Linear():
            reads = _connections(graph, node)
            return [(reads & out.reshape(len(reads), -1, 1)).any(axis=1).ravel()]
        case Concat():
            ends = np.cumsum([channels[name] for name in node.inputs])
            return list(np.split(out, ends[:-1]))
        case ChannelPermute(order):
            return [out[np.argsort(order)]]
        case ChannelSelect(order):
            read = np.zeros(channels[node.inputs[0]], bool)
            read[[c for c, is_needed in zip(order, out, strict=True) if is_needed and c >= 0]] = (
                True
            )
            return [read]
        case LayerNorm() | LocalResponseNorm() | Softmax():
            return [np.full(len(out), out.any())]
        case KWinners(over=over) if over != "map":
            return [np.full(len(out), out.any())]
        case Flatten():
            pixels = out.reshape(channels[node.inputs[0]], -1)
            return [np.asarray(pixels.any(axis=1))]
    return [out] * len(node.inputs)


def _narrow(graph: Graph, drop: Masks) -> bool:
    """Keep what some node cannot do without; return whether anything changed."""
    before = sum(int(mask.sum()) for mask in drop.values())
    for node in graph.nodes:
        _agree(graph, node, drop)
    for mask in drop.values():
        mask[0] &= not mask.all()
    return sum(int(mask.sum()) for mask in drop.values()) != before


def _agree(graph: Graph, node: Node, drop: Masks) -> None:
    out, first = drop[node.name], drop[node.inputs[0]]
    match node.op:
        case Linear():
            return
        case Conv2d(groups=groups) if groups == 1:
            return
        case Conv2d() if not is_depthwise(node.op, graph.weight_shapes(node)["weight"]):
            out[:] = first[:] = False
        case ChannelSelect() | LayerNorm() | LocalResponseNorm() | Softmax():
            out[:] = first[:] = False
        case KWinners(over=over) if over != "map":
            out[:] = first[:] = False
        case Concat():
            ends = np.cumsum([len(drop[name]) for name in node.inputs])
            for part, name in zip(np.split(out, ends[:-1]), node.inputs, strict=True):
                part &= drop[name]  # a view of `out`
                drop[name] &= part
        case ChannelPermute(order):
            out &= first[list(order)]
            first[list(order)] = out
        case Flatten():
            pixels = out.reshape(len(first), -1)
            first &= pixels.all(axis=1)
            pixels[:] = first[:, None]
        case _:
            for name in node.inputs:
                out &= drop[name]
            for name in node.inputs:
                drop[name] &= out
