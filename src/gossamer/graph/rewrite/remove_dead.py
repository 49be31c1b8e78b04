"""Remove nodes that the output does not depend on."""

from __future__ import annotations

from gossamer.graph.graph import Graph


def remove_dead(graph: Graph) -> Graph:
    """Return the graph without the nodes, and their weights, that do not reach the output."""
    needed = {graph.output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    kept = [node for node in graph.nodes if node.name in needed]
    return graph.with_nodes(kept, graph.weights)
