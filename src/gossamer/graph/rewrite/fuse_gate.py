"""Recognise activations that were written out: x · sigmoid(x), x · relu6(x + 3) / 6."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Activation, Multiply, ScaleShift
from gossamer.graph.rewrite.edit import drop_node, maker, only_reader

_GATED = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}


def fuse_gate(graph: Graph) -> Graph:
    """Return the graph with silu, hard_sigmoid and hard_swish as one activation each.

    Recognised are relu6(x + 3) / 6, also where the division comes after the product with x, and
    x · sigmoid(x), x · hard_sigmoid(x). Saves the rounding to float32 in between.
    """
    for name in [node.name for node in graph.nodes if isinstance(node.op, Multiply)]:
        graph = _divide_before(graph, graph.node(name))
    for name in [node.name for node in graph.nodes if isinstance(node.op, Activation)]:
        graph = _hard_sigmoid(graph, graph.node(name))
    for name in [node.name for node in graph.nodes if isinstance(node.op, Multiply)]:
        graph = _gate(graph, graph.node(name))
    return graph


def _gate(graph: Graph, product: Node) -> Graph:
    """Make x · f(x) one activation of x; f(x) stays if it has other readers."""
    for x, gate_name in (product.inputs, product.inputs[::-1]):
        gate = maker(graph, gate_name)
        if gate is None or not isinstance(gate.op, Activation) or gate.inputs != (x,):
            continue
        function = _GATED.get(gate.op.function)
        if function is not None:
            alone = only_reader(graph, gate.name) is not None
            fused = replace(product, op=Activation(function), inputs=(x,))
            nodes = [fused if n is product else n for n in graph.nodes if not (alone and n is gate)]
            return graph.with_nodes(nodes, graph.weights)
    return graph


def _hard_sigmoid(graph: Graph, clip: Node) -> Graph:
    """Make relu6(x + 3) / 6 one activation of x."""
    before = maker(graph, clip.inputs[0])
    after = only_reader(graph, clip.name)
    if clip.op != Activation("relu6") or before is None or after is None:
        return graph
    if not (_is_norm(graph, before, 1, 3) and _is_norm(graph, after, 1 / 6, 0)):
        return graph
    made = replace(clip, op=Activation("hard_sigmoid"), inputs=before.inputs)
    alone = only_reader(graph, before.name) is not None
    nodes = [made if n is clip else n for n in graph.nodes if not (alone and n is before)]
    return drop_node(graph.with_nodes(nodes, graph.weights), after.name)


def _divide_before(graph: Graph, product: Node) -> Graph:
    """Bring x · relu6(x + 3) / 6 into the form x · (relu6(x + 3) / 6)."""
    after = only_reader(graph, product.name)
    if after is None or not _is_norm(graph, after, 1 / 6, 0):
        return graph
    for x, gate_name in (product.inputs, product.inputs[::-1]):
        clip = maker(graph, gate_name)
        before = maker(graph, clip.inputs[0]) if clip is not None else None
        if clip is None or clip.op != Activation("relu6") or before is None:
            continue
        if before.inputs == (x,) and _is_norm(graph, before, 1, 3):
            divided = replace(after, name=product.name, inputs=(clip.name,))
            multiplied = replace(product, name=after.name, inputs=(x, product.name))
            changed = {product.name: divided, after.name: multiplied}
            return graph.with_nodes([changed.get(n.name, n) for n in graph.nodes], graph.weights)
    return graph


def _is_norm(graph: Graph, node: Node, scale: float, shift: float) -> bool:
    """Whether a node is x · scale + shift in every channel."""
    if not isinstance(node.op, ScaleShift):
        return False
    given = [graph.weights[node.weights[role]].to_dense() for role in ("scale", "shift")]
    wanted = np.float32(scale), np.float32(shift)
    return all(
        np.allclose(array, value, rtol=1e-6, atol=0)
        for array, value in zip(given, wanted, strict=True)
    )
