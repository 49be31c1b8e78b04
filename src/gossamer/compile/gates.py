"""Gates that a convolution applies to its weights: W (g ∘ x) = (W diag g) x.

A gate multiplies each channel of a picture by a number, which takes a pass over the picture. Where
a 1×1 convolution alone reads the product, and has few nonzero weights beside the numbers of the
picture, these are multiplied instead, anew for each image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import Conv2d, Multiply, Shape

MOST_DENSITY = 0.5
"""Of the weights: denser ones may want kernels that hold them in another form."""
PIXELS_PER_WEIGHT = 4
"""Numbers of a picture that a pass multiplies in the time of one weight, whose factor is looked up.
"""


def is_gate(node: Node, shapes: Mapping[str, Shape]) -> bool:
    """Whether a node multiplies pictures with one factor a channel."""
    return isinstance(node.op, Multiply) and len({shapes[name] for name in node.inputs}) == 2


def weight_gates(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Node]:
    """Return the convolutions whose weights take over a gate, name → the node of the product."""
    nodes = {node.name: node for node in graph.nodes}
    read = Counter(name for node in graph.nodes for name in node.inputs)
    read[graph.output] += 1
    return {
        node.name: nodes[node.inputs[0]]
        for node in graph.nodes
        if node.inputs
        and node.inputs[0] in nodes
        and read[node.inputs[0]] == 1
        and is_gate(nodes[node.inputs[0]], shapes)
        and _has_few_weights(graph, node, shapes[node.inputs[0]])
    }


def _has_few_weights(graph: Graph, node: Node, picture: Shape) -> bool:
    """Whether a node is a 1×1 convolution with few weights beside the picture that it reads."""
    if not isinstance(node.op, Conv2d) or node.op.groups > 1 or any(node.op.padding):
        return False
    layout = graph.weights[node.weights["weight"]]
    return (
        layout.shape[2:] == (1, 1)
        and not isinstance(layout, Quantised)
        and layout.density <= MOST_DENSITY
        and PIXELS_PER_WEIGHT * layout.density * prod(layout.shape) < prod(picture[1:])
    )
