"""The few edits of a graph that every rewrite needs."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node


def only_reader(graph: Graph, name: str) -> Node | None:
    """Return the one node that reads a value, None if there are several or it is the output."""
    readers = graph.readers(name)
    return readers[0] if len(readers) == 1 and graph.output != name else None


def maker(graph: Graph, name: str) -> Node | None:
    """Return the node that makes a value, None for the network's input."""
    return None if name == graph.input.name else graph.node(name)


def drop_node(graph: Graph, name: str) -> Graph:
    """Return the graph without a node of one input, its readers reading that input instead."""
    (source,) = graph.node(name).inputs
    nodes = [node for node in graph.nodes if node.name != name]
    return rename_value(graph.with_nodes(nodes, graph.weights), name, source)


def rename_value(graph: Graph, old: str, new: str) -> Graph:
    """Return the graph with every reader of `old`, and the output, reading `new` instead."""
    nodes = [
        replace(node, inputs=tuple(new if name == old else name for name in node.inputs))
        if old in node.inputs
        else node
        for node in graph.nodes
    ]
    output = new if graph.output == old else graph.output
    return graph.with_nodes(nodes, graph.weights, output)


def with_reordered(
    graph: Graph, node: Node, roles: tuple[str, ...], order: np.ndarray, axis: int = 0
) -> Graph:
    """Return the graph with the weights of some roles of a node in another order along an axis."""
    taken = {name for n in graph.nodes if n is not node for name in n.weights.values()}
    names, weights = dict(node.weights), dict(graph.weights)
    for role in roles:
        layout = graph.weights[names[role]]
        names[role] = free_name(taken, f"{node.name}.{role}")
        weights[names[role]] = layout.take(order, axis)
    changed = replace(node, weights=names)
    return graph.with_nodes([changed if n is node else n for n in graph.nodes], weights)


def free_name(taken: Container[str], wish: str) -> str:
    """Return a weight name that is not taken.

    Examples:
        >>> free_name({}, "conv.bias")
        'conv.bias'
    """
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    return name
