"""Which input channel reaches which output channel in the chains of group convolutions of a graph.

A *chain* starts with a convolution in groups and follows its only reader through convolutions,
permutations and whatever works on each channel alone, up to the convolution after which every
channel reaches every other one, or as far as it goes. Its composite kernel is the product of its
convolutions and permutations; an entry of the path-count matrix is the number of paths between two
channels through weights that are not zero, so that it shows pruned connections too. (Where no
weight is zero, it is the matrix of `gossamer.nets.connectivity.composite`, which needs no graph.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    Activation,
    AvgPool2d,
    ChannelPermute,
    Conv2d,
    GlobalAvgPool,
    MaxPool2d,
    Quantise,
    ScaleShift,
    Threshold,
)

_CHANNELWISE = (Activation, AvgPool2d, GlobalAvgPool, MaxPool2d, Quantise, ScaleShift, Threshold)


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain of convolutions and permutations.

    Args:
        nodes: its convolutions and permutations, in the order in which data flows.
        paths: how many paths lead from each input channel to each output channel: int64 (K, C).
    """

    nodes: tuple[Node, ...]
    paths: np.ndarray


def channel_chains(graph: Graph) -> Iterator[Chain]:
    """Yield the chains of a graph, in its order; no node is in two of them.

    Examples:
        >>> from gossamer.graph import Dense, Input
        >>> conv = Node("conv", Conv2d(groups=2), ("x",), {"weight": "w"})
        >>> weights = {"w": Dense(np.ones((4, 2, 1, 1)))}
        >>> graph = Graph(Input("x", (1, 4, 5, 5)), (conv,), "conv", weights)
        >>> next(channel_chains(graph)).paths.tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    followers = _only_readers(graph)
    used: set[str] = set()
    for node in graph.nodes:
        if node.name not in used and isinstance(node.op, Conv2d) and node.op.groups > 1:
            chain = _follow(graph, node, followers)
            used |= {member.name for member in chain.nodes}
            yield chain


def channel_links(graph: Graph, node: Node) -> np.ndarray:
    """Return which input channel a convolution or permutation passes to which: int64 (K, C)."""
    if isinstance(node.op, ChannelPermute):
        width = len(node.op.order)
    else:
        assert isinstance(node.op, Conv2d)
        width = node.op.groups * _used(graph, node).shape[2]
    return _extend(np.eye(width), graph, node).astype(np.int64)


def _follow(graph: Graph, first: Node, followers: Mapping[str, Node]) -> Chain:
    nodes, paths = [first], channel_links(graph, first).astype(np.float64)  # exact up to 2⁵³
    following = followers.get(first.name)
    while following is not None:
        if isinstance(following.op, Conv2d | ChannelPermute):
            if paths.all() and isinstance(following.op, Conv2d):
                break
            nodes.append(following)
            paths = _extend(paths, graph, following)
        elif not isinstance(following.op, _CHANNELWISE) or paths.all():
            break
        following = followers.get(following.name)
    return Chain(tuple(nodes), paths.astype(np.int64))


def _extend(paths: np.ndarray, graph: Graph, node: Node) -> np.ndarray:
    """Return the path counts behind one more node: the product of its matrix and `paths`."""
    if isinstance(node.op, ChannelPermute):
        return paths[list(node.op.order)]
    used = _used(graph, node)
    branches = paths.reshape(len(used), used.shape[2], -1)
    return (used @ branches).reshape(-1, paths.shape[1])


def _used(graph: Graph, node: Node) -> np.ndarray:
    """Return which connections of a convolution have a weight: 0 or 1, (G, K/G, C/G)."""
    assert isinstance(node.op, Conv2d)
    weight = graph.weights[node.weights["weight"]].to_dense()
    used = (weight != 0).any(axis=(2, 3)).astype(np.float64)
    return used.reshape(node.op.groups, -1, used.shape[1])


def _only_readers(graph: Graph) -> dict[str, Node]:
    """Return value → the node that reads it, of those values that exactly one node reads."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in set(node.inputs):
            readers.setdefault(name, []).append(node)
    return {
        name: nodes[0]
        for name, nodes in readers.items()
        if len(nodes) == 1 and name != graph.output
    }
