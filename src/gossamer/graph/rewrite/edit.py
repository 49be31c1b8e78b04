"""A graph while it is edited: an edit takes no longer than the nodes take that it touches."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Op


class Draft:
    """A graph whose nodes can be exchanged one by one; `graph()` makes it a value again.

    Args:
        graph: where to start; it stays as it is.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.nodes = {node.name: node for node in graph.nodes}
        self.weights = dict(graph.weights)
        self.output = graph.output
        self._readers: dict[str, dict[str, None]] = {}
        self._holders: dict[str, set[str]] = {}
        for node in graph.nodes:
            self._note(node)

    def of_kind(self, kind: type[Op]) -> Iterator[Node]:
        """Yield the nodes of an operator that there are now and still are when their turn comes."""
        for name in [name for name, node in self.nodes.items() if isinstance(node.op, kind)]:
            node = self.nodes.get(name)
            if node is not None and isinstance(node.op, kind):
                yield node

    def maker(self, value: str) -> Node | None:
        """Return the node that makes a value, None for the network's input."""
        return self.nodes.get(value)

    def only_reader(self, value: str) -> Node | None:
        """Return the one node that reads a value, None if there are several or it is the output."""
        readers = self._readers.get(value, {})
        return (
            self.nodes[next(iter(readers))] if len(readers) == 1 and value != self.output else None
        )

    def is_read(self, value: str) -> bool:
        """Whether some node, or the world outside, reads a value."""
        return bool(self._readers.get(value)) or value == self.output

    def put(self, node: Node) -> Node:
        """Exchange the node of this name for another, and return it."""
        self._forget(self.nodes[node.name])
        self.nodes[node.name] = node
        self._note(node)
        return node

    def remove(self, node: Node) -> None:
        """Remove a node that nobody reads."""
        self._forget(self.nodes.pop(node.name))

    def drop(self, node: Node) -> None:
        """Remove a node of one input; its readers read that input instead."""
        (source,) = self.nodes[node.name].inputs
        self.rename(node.name, source)
        self.remove(node)

    def rename(self, old: str, new: str) -> None:
        """Let every reader of `old`, and the output, read `new` instead."""
        for name in list(self._readers.get(old, ())):
            node = self.nodes[name]
            inputs = tuple(new if value == old else value for value in node.inputs)
            self.put(replace(node, inputs=inputs))
        self.output = new if self.output == old else self.output

    def exchange(self, first: Node, second: Node) -> None:
        """Let two nodes of one input each, the second the only reader of the first, change places.

        Whoever read the second reads the first.
        """
        self.rename(second.name, first.name)
        self.put(replace(self.nodes[second.name], inputs=first.inputs))
        self.remove(first)
        self.nodes[first.name] = replace(first, inputs=(second.name,))
        self._note(self.nodes[first.name])

    def layout(self, node: Node, role: str) -> Layout:
        """Return a weight of a node."""
        return self.weights[node.weights[role]]

    def hold(self, node: Node, **layouts: Layout) -> Node:
        """Give a node other weights, under names that no other node uses; return it."""
        roles = dict(node.weights)
        for role, layout in layouts.items():
            name, number = f"{node.name}.{role}", 2
            while self._holders.get(name, set()) - {node.name}:
                name, number = f"{node.name}.{role}_{number}", number + 1
            roles[role] = name
            self.weights[name] = layout
        return self.put(replace(node, weights=roles))

    def reorder(self, node: Node, roles: tuple[str, ...], order: np.ndarray, axis: int = 0) -> Node:
        """Put the weights of some roles of a node in another order along an axis."""
        taken = {role: self.layout(node, role).take(order, axis) for role in roles}
        return self.hold(node, **taken)

    def graph(self) -> Graph:
        """Return the graph, its nodes in the order they had where that still can be."""
        ordered: dict[str, Node] = {}
        for name in self.nodes:
            waiting = [name]
            while waiting:
                node = self.nodes[waiting[-1]]
                missing = [i for i in node.inputs if i in self.nodes and i not in ordered]
                if missing:
                    waiting += missing
                else:
                    ordered[node.name] = node
                    waiting.pop()
        return self._graph.with_nodes(ordered.values(), self.weights, self.output)

    def _note(self, node: Node) -> None:
        for value in node.inputs:
            self._readers.setdefault(value, {})[node.name] = None
        for weight in node.weights.values():
            self._holders.setdefault(weight, set()).add(node.name)

    def _forget(self, node: Node) -> None:
        for value in set(node.inputs):
            del self._readers[value][node.name]
        for weight in set(node.weights.values()):
            self._holders[weight].discard(node.name)


def free_name(taken: Container[str], wish: str) -> str:
    """Return a name that is not taken.

    Examples:
        >>> free_name({}, "conv.bias")
        'conv.bias'
    """
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    return name
