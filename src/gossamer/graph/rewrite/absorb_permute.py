"""Let the layer before a channel permutation make its channels in the permuted order."""

from __future__ import annotations

import numpy as np

from gossamer.graph.graph import Graph
from gossamer.graph.ops import ChannelPermute, Conv2d, Linear
from gossamer.graph.rewrite.edit import Draft


def absorb_permute(graph: Graph) -> Graph:
    """Return the graph without permutations that alone read a layer without groups.

    The rows of its weight, bias and scale are put in order instead; outputs stay equal bit for bit.
    Permutations that change nothing are dropped too.
    """
    draft = Draft(graph)
    for node in draft.of_kind(ChannelPermute):
        assert isinstance(node.op, ChannelPermute)
        order = np.array(node.op.order)
        layer = draft.maker(node.inputs[0])
        if np.array_equal(order, np.arange(len(order))):
            draft.drop(node)
        elif layer is not None and draft.only_reader(layer.name) is not None:
            match layer.op:
                case Linear() | Conv2d(groups=1):
                    draft.reorder(layer, tuple(layer.weights), order)
                    draft.drop(node)
    return draft.graph()
