"""Let the layer before an activation apply it."""

from __future__ import annotations

from dataclasses import replace

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Activation, Add, Conv2d, Linear, Op
from gossamer.graph.rewrite.edit import drop_node, maker, only_reader


def fuse_activation(graph: Graph) -> Graph:
    """Return the graph with activations fused into convolutions, linear layers and additions.

    An activation is fused if it alone reads what the layer makes and the layer has none yet.
    Identities are dropped. Outputs stay equal bit for bit for identity, relu and relu6; the others
    save the rounding to float32 between layer and activation.
    """
    for name in [node.name for node in graph.nodes if isinstance(node.op, Activation)]:
        node = graph.node(name)
        assert isinstance(node.op, Activation)
        layer = maker(graph, node.inputs[0])
        if node.op.function == "identity":
            graph = drop_node(graph, name)
        elif layer is not None and _can_fuse(graph, layer):
            fused = replace(layer, op=_activated(layer.op, node.op.function))
            nodes = [fused if n is layer else n for n in graph.nodes]
            graph = drop_node(graph.with_nodes(nodes, graph.weights), name)
    return graph


def _can_fuse(graph: Graph, layer: Node) -> bool:
    return (
        isinstance(layer.op, Conv2d | Linear | Add)
        and layer.op.activation == "identity"
        and only_reader(graph, layer.name) is not None
    )


def _activated(op: Op, function: str) -> Op:
    assert isinstance(op, Conv2d | Linear | Add)
    return replace(op, activation=function)
