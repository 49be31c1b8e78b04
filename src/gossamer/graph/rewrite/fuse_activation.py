"""Let the layer before an activation apply it."""

from __future__ import annotations

from dataclasses import replace

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Activation, Add, Conv2d, Linear, Op
from gossamer.graph.rewrite.edit import Draft


def fuse_activation(graph: Graph) -> Graph:
    """Return the graph with activations fused into convolutions, linear layers and additions.

    An activation is fused if it alone reads what the layer makes and the layer has none yet.
    Identities are dropped. Outputs stay equal bit for bit for identity, relu and relu6; the others
    save the rounding to float32 between layer and activation.
    """
    draft = Draft(graph)
    for node in draft.of_kind(Activation):
        assert isinstance(node.op, Activation)
        layer = draft.maker(node.inputs[0])
        if node.op.function == "identity":
            draft.drop(node)
        elif layer is not None and _can_fuse(draft, layer):
            draft.put(replace(layer, op=_activated(layer.op, node.op.function)))
            draft.drop(node)
    return draft.graph()


def _can_fuse(draft: Draft, layer: Node) -> bool:
    return (
        isinstance(layer.op, Conv2d | Linear | Add)
        and layer.op.activation == "identity"
        and draft.only_reader(layer.name) is not None
    )


def _activated(op: Op, function: str) -> Op:
    assert isinstance(op, Conv2d | Linear | Add)
    return replace(op, activation=function)
