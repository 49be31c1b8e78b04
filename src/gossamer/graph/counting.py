"""What a graph holds and computes, by node and in total, as `gossamer.counts` defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from gossamer.counts import peak_live_size
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import ChannelPermute, Conv2d, Flatten, Linear, Shape
from gossamer.graph.verify import infer_shapes

_FLOAT_BYTES = 4


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
        peak_live_bytes: the most that activations take at one time, as float32, when the nodes run
            in the graph's order; a channel permutation and a flattening make no value of their own
            but name the memory of their input anew.
        depth: convolutions and linear layers on the path with most of them.
    """

    nodes: tuple[NodeCount, ...]
    parameters: int
    weights: int
    nonzeros: int
    macs: int
    effective_macs: int
    peak_live_bytes: int
    depth: int

    @property
    def sparsity(self) -> float:
        """Fraction of weight entries that are exactly zero."""
        return 1 - self.nonzeros / self.weights if self.weights else 0.0


def count(graph: Graph, input_shape: Shape | None = None) -> GraphCount:
    """Count a graph for an input of `input_shape` (default: the example's).

    Raises:
        ShapeError: if the network does not take that shape.

    Examples:
        >>> import numpy as np
        >>> from gossamer.graph import Dense, Graph, Input, Node
        >>> from gossamer.graph.ops import Linear
        >>> node = Node("fc", Linear(), ("x",), {"weight": "w"})
        >>> weights = {"w": Dense(np.array([[1.0, 0.0, 2.0]]))}
        >>> graph = Graph(Input("x", (1, 3)), (node,), "fc", weights)
        >>> count(graph).macs, count(graph).effective_macs
        (3, 2)
        >>> count(graph).peak_live_bytes, count(graph).depth
        (16, 1)
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
        peak_live_bytes=_peak_live_bytes(graph, shapes),
        depth=_depth(graph),
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


def _peak_live_bytes(graph: Graph, shapes: Mapping[str, Shape]) -> int:
    places = {graph.input.name: 0}  # value → number of the memory that holds it
    sizes, last_reads = [_size_bytes(shapes[graph.input.name])], [0]
    for time, node in enumerate(graph.nodes, start=1):
        for name in node.inputs:
            last_reads[places[name]] = time
        shared = isinstance(node.op, ChannelPermute | Flatten)
        # What shares memory gets a place of size 0, so that places and times stay in step.
        places[node.name] = places[node.inputs[0]] if shared else time
        sizes.append(0 if shared else _size_bytes(shapes[node.name]))
        last_reads.append(time)
    last_reads[places[graph.output]] = len(graph.nodes)
    return peak_live_size(sizes, last_reads)


def _size_bytes(shape: Shape) -> int:
    """Return the bytes of one image's share of a value, as float32."""
    return _FLOAT_BYTES * prod(shape[1:])


def _depth(graph: Graph) -> int:
    depths = {graph.input.name: 0}
    for node in graph.nodes:
        longest = max(depths[name] for name in node.inputs)
        depths[node.name] = longest + isinstance(node.op, Conv2d | Linear)
    return depths[graph.output]
