"""Remove the channels that pruning left without effect, so that dense kernels gain too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import ChannelPermute, Conv2d, Op
from gossamer.graph.rewrite.channel_flow import Masks, is_depthwise, removable_channels
from gossamer.graph.rewrite.edit import free_name


def remove_channels(graph: Graph) -> Graph:
    """Return the graph without channels that are always zero or that the output does not need.

    What is removed contributed exact zeros, so the output keeps its values up to the order in which
    a library adds them up. Where it is not sure, a channel stays: see
    `gossamer.graph.rewrite.channel_flow.removable_channels`.
    """
    drop = removable_channels(graph)
    if not any(mask.any() for mask in drop.values()):
        return graph
    keep = {name: ~mask for name, mask in drop.items()}
    weights: dict[str, Layout] = {}
    nodes = [_shrink(graph, node, keep, weights) for node in graph.nodes]
    return graph.with_nodes(nodes, weights)


def _shrink(graph: Graph, node: Node, keep: Masks, weights: dict[str, Layout]) -> Node:
    """Return the node on the kept channels, adding its weights to `weights`."""
    out, into = keep[node.name], keep[node.inputs[0]]
    columns = into
    if isinstance(node.op, Conv2d) and node.op.groups > 1:
        columns = np.ones(graph.weight_shapes(node)["weight"][1], bool)
    roles = {}
    for role, name in node.weights.items():
        layout = graph.weights[name]
        if not out.all() or (role == "weight" and not columns.all()):
            layout = layout.take(np.flatnonzero(out), 0)
            layout = layout.take(np.flatnonzero(columns), 1) if role == "weight" else layout
        shared = name in weights and weights[name] == layout
        roles[role] = name if shared else free_name(weights, name)
        weights[roles[role]] = layout
    return replace(node, op=_shrink_op(graph, node, out, into), weights=roles)


def _shrink_op(graph: Graph, node: Node, out: np.ndarray, into: np.ndarray) -> Op:
    match node.op:
        case ChannelPermute(order):
            rank = np.cumsum(into) - 1
            return ChannelPermute(tuple(int(i) for i in rank[np.array(order)[out]]))
        case Conv2d() if is_depthwise(node.op, graph.weight_shapes(node)["weight"]):
            return replace(node.op, groups=int(out.sum()))
    return node.op
