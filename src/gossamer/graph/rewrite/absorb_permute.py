"""Let the layer before a channel permutation make its channels in the permuted order."""

from __future__ import annotations

import numpy as np

from gossamer.graph.graph import Graph
from gossamer.graph.ops import ChannelPermute, Conv2d, Linear
from gossamer.graph.rewrite.edit import drop_node, maker, only_reader, with_reordered


def absorb_permute(graph: Graph) -> Graph:
    """Return the graph without permutations that alone read a layer without groups.

    The rows of its weight, bias and scale are put in order instead; outputs stay equal bit for bit.
    Permutations that change nothing are dropped too.
    """
    for node in [node for node in graph.nodes if isinstance(node.op, ChannelPermute)]:
        assert isinstance(node.op, ChannelPermute)
        order = np.array(node.op.order)
        layer = maker(graph, graph.node(node.name).inputs[0])
        if np.array_equal(order, np.arange(len(order))):
            graph = drop_node(graph, node.name)
        elif layer is not None and only_reader(graph, layer.name) is not None:
            match layer.op:
                case Linear() | Conv2d(groups=1):
                    graph = with_reordered(graph, layer, tuple(layer.weights), order)
                    graph = drop_node(graph, node.name)
    return graph
