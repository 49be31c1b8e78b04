"""Residual sums in place: a convolution or a gate adds its result to the memory of the other term.

Such a term runs where the sum stands, and the sum is the other term's memory from then on. That is
right if nothing reads the other term later, and the term that waits does not read it at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from gossamer.compile.gates import is_gate, weight_gates
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    Add,
    ChannelPermute,
    ChannelSelect,
    Conv2d,
    Flatten,
    Shape,
)


@dataclass(frozen=True)
class Residual:
    """A sum of what a convolution or a gate makes and another value.

    Args:
        term: the node of the convolution, or of the product with the gate.
        other: name of the value that it is added to.
    """

    term: Node
    other: str


class Uses:
    """Who reads each value, and when at the latest.

    Args:
        graph: a network.
        shapes: value → shape for one image.

    Attributes:
        gates: convolution → the product that its weights may take over; what that reads, the
            convolution reads then.
    """

    def __init__(self, graph: Graph, shapes: Mapping[str, Shape]) -> None:
        self._graph, self._shapes = graph, shapes
        self.gates = weight_gates(graph, shapes)
        self._nodes = {node.name: node for node in graph.nodes}
        self._places = {node.name: index for index, node in enumerate(graph.nodes)}
        self._readers: dict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            for name in node.inputs:
                self._readers[name].append(node)

    def residual(self, node: Node, roots: Mapping[str, str]) -> Residual | None:
        """Return how a sum can be made in place, if it can.

        Args:
            node: any node.
            roots: value → the value whose memory it shares, of all values before the node.
        """
        if not isinstance(node.op, Add) or node.inputs[0] == node.inputs[1]:
            return None
        for name, other in (node.inputs[::-1], node.inputs):
            term = self._nodes.get(name)
            if term and self._waits(term) and self._is_free(other, node, term, roots):
                return Residual(term, other)
        return None

    def _waits(self, node: Node) -> bool:
        """Whether a node is a convolution or a gate that only a sum reads."""
        readers = self._readers[node.name]
        is_conv = isinstance(node.op, Conv2d) and node.op.activation == "identity"
        return (
            (is_conv or is_gate(node, self._shapes))
            and node.name != self._graph.output
            and len(readers) == 1
            and isinstance(readers[0].op, Add)
        )

    def _is_free(self, value: str, node: Node, term: Node, roots: Mapping[str, str]) -> bool:
        """Whether the memory of a value may be overwritten at a node."""
        if value not in self._nodes or not _owns_memory(self._nodes[value]):
            return False
        root = roots.get(value, value)
        sharing = {value, root, *(name for name, other in roots.items() if other == root)}
        gated = self.gates[term.name].inputs if term.name in self.gates else ()
        if sharing & {*term.inputs, *gated} or self._graph.output in sharing:
            return False
        readers = (reader for name in sharing for reader in self._readers[name])
        return all(self._last_place(r) <= self._places[node.name] for r in readers)

    def _last_place(self, reader: Node) -> int:
        """Return when a reader reads at the latest: it may wait for its convolution, or its sum."""
        if any(product is reader for product in self.gates.values()):
            reader = self._readers[reader.name][0]
        if self._waits(reader):
            reader = self._readers[reader.name][0]
        return self._places[reader.name]


def _owns_memory(node: Node) -> bool:
    """Whether each channel of a node's result has memory of its own, and is no other's renamed."""
    if isinstance(node.op, ChannelPermute | ChannelSelect):
        return min(node.op.order) < 0
    return not isinstance(node.op, Flatten)
