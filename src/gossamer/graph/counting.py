"""Parameters, nonzeros and MACs of a graph by node and in total, as `gossamer.counts` defines."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Shape
from gossamer.graph.verify import infer_shapes


@dataclass(frozen=True)
class NodeCount:
    """What one node holds and computes, for one image.

    Attributes:
        name: of the node.
        kind: of its operator.
        parameters: entries of all its weights, vectors included.
        weights: entries of its weight tensor, 0 if it has none.
        nonzeros: those that are not exactly zero.
        macs: multiply-accumulates.
        effective_macs: those whose weight is not zero.
    """

    name: str
    kind: str
    parameters: int
    weights: int
    nonzeros: int
    macs: int
    effective_macs: int


@dataclass(frozen=True)
class GraphCount:
    """The counts of a graph, for one image; a weight that several nodes share counts once.

    Attributes:
        nodes: in the graph's order.
        parameters: entries of all weights, vectors included.
        weights: entries of the weight tensors of convolutions and linear layers.
        nonzeros: those that are not exactly zero.
        macs: multiply-accumulates.
        effective_macs: those whose weight is not zero.
    """

    nodes: tuple[NodeCount, ...]
    parameters: int
    weights: int
    nonzeros: int
    macs: int
    effective_macs: int

    @property
    def sparsity(self) -> float:
        """Fraction of weight entries that are exactly zero."""
        return 1 - self.nonzeros / self.weights if self.weights else 0.0


def count(graph: Graph, input_shape: Shape | None = None) -> GraphCount:
    """Count a graph for an input of `input_shape` (default: the example's).

    Raises:
        ShapeError: if the network does not take that shape.

    Example:
        >>> import numpy as np
        >>> from gossamer.graph import Dense, Graph, Input, Node
        >>> from gossamer.graph.ops import Linear
        >>> node = Node("fc", Linear(), ("x",), {"weight": "w"})
        >>> weights = {"w": Dense(np.array([[1.0, 0.0, 2.0]]))}
        >>> graph = Graph(Input("x", (1, 3)), (node,), "fc", weights)
        >>> count(graph).macs, count(graph).effective_macs
        (3, 2)
    """
    shapes = infer_shapes(graph, input_shape)
    nodes = tuple(_count_node(graph, node, shapes[node.name]) for node in graph.nodes)
    tensors = {node.weights["weight"] for node in graph.nodes if "weight" in node.weights}
    return GraphCount(
        nodes=nodes,
        parameters=sum(layout.size for layout in graph.weights.values()),
        weights=sum(graph.weights[name].size for name in tensors),
        nonzeros=sum(graph.weights[name].nonzeros for name in tensors),
        macs=sum(node.macs for node in nodes),
        effective_macs=sum(node.effective_macs for node in nodes),
    )


def _count_node(graph: Graph, node: Node, shape: Shape) -> NodeCount:
    layouts = {role: graph.weights[name] for role, name in node.weights.items()}
    weight = layouts.get("weight")
    size, nonzeros = (weight.size, weight.nonzeros) if weight else (0, 0)
    macs = node.op.macs(shape, graph.weight_shapes(node))
    return NodeCount(
        name=node.name,
        kind=node.op.kind,
        parameters=sum(layout.size for layout in layouts.values()),
        weights=size,
        nonzeros=nonzeros,
        macs=macs,
        effective_macs=macs * nonzeros // size if size else 0,
    )
