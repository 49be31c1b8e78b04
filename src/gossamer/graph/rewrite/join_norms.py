"""Make one norm of two that follow each other: what is left of a product and a sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph
from gossamer.graph.layouts import Dense
from gossamer.graph.ops import ScaleShift
from gossamer.graph.rewrite.edit import drop_node, free_name, maker, only_reader


def join_norms(graph: Graph) -> Graph:
    """Return the graph with every `scale_shift` joined with the one it alone reads.

    Computed in float64 and rounded once: (x · a + b) · c + d = x · ac + (bc + d).
    """
    for name in [node.name for node in graph.nodes if isinstance(node.op, ScaleShift)]:
        second = graph.node(name)
        first = maker(graph, second.inputs[0])
        if first is None or not isinstance(first.op, ScaleShift):
            continue
        if only_reader(graph, first.name) is None:
            continue
        a, b, c, d = (
            graph.weights[node.weights[role]].to_dense().astype(np.float64)
            for node in (first, second)
            for role in ("scale", "shift")
        )
        taken = {n for node in graph.nodes if node is not first for n in node.weights.values()}
        roles = {role: free_name(taken, f"{first.name}.{role}") for role in ("scale", "shift")}
        weights = {
            **graph.weights,
            roles["scale"]: Dense(a * c),
            roles["shift"]: Dense(b * c + d),
        }
        nodes = [replace(n, weights=roles) if n is first else n for n in graph.nodes]
        graph = drop_node(graph.with_nodes(nodes, weights), second.name)
    return graph
