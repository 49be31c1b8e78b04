"""A network as an immutable value: operators in order, named weights, the record of its input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Op, Shape
from gossamer.images import InputRecord


@dataclass(frozen=True)
class Node:
    """One operator in place: its name is also the name of the value that it makes.

    Args:
        name: unique in the graph.
        op: what it does.
        inputs: names of the values that it reads.
        weights: role → name in the graph's weights.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))


@dataclass(frozen=True)
class Input:
    """The array that the network takes.

    Args:
        name: of the value.
        example: the sizes at export, (N, C, H, W) or (N, F).
        free: which axes may have another size at run time, by number.
    """

    name: str
    example: Shape
    free: frozenset[int] = frozenset({0})

    def accepts(self, shape: Shape) -> bool:
        """Whether an array of this shape may be fed."""
        return len(shape) == len(self.example) and all(
            size >= 1 and (axis in self.free or size == self.example[axis])
            for axis, size in enumerate(shape)
        )

    def __str__(self) -> str:
        letters = "NCHW" if len(self.example) == 4 else "NF"
        return "×".join(
            f"{letters[axis]}={size}" if axis in self.free else str(size)
            for axis, size in enumerate(self.example)
        )


@dataclass(frozen=True)
class Graph:
    """An exact network: what crosses from export to the file, to the compiler and to ONNX.

    Args:
        input: the one input.
        nodes: in an order in which every value is made before it is read.
        output: name of the value that the network returns.
        weights: name → layout; read-only.
        record: how a picture becomes the input, if known.
        name: of the network, for people.

    `gossamer.graph.verify.verify` says whether a graph is well formed.
    """

    input: Input
    nodes: tuple[Node, ...]
    output: str
    weights: Mapping[str, Layout]
    record: InputRecord | None = None
    name: str = "network"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return (self.input, self.output, self.record, self.name) == (
            other.input,
            other.output,
            other.record,
            other.name,
        ) and (self.nodes, dict(self.weights)) == (other.nodes, dict(other.weights))

    __hash__ = None  # type: ignore[assignment]

    def node(self, name: str) -> Node:
        """Return the node that makes the value `name`."""
        return next(node for node in self.nodes if node.name == name)

    def readers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read the value `name`."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def weight_shapes(self, node: Node) -> dict[str, Shape]:
        """Return role → shape of a node's weights."""
        return {role: self.weights[name].shape for role, name in node.weights.items()}

    def with_nodes(
        self, nodes: Iterable[Node], weights: Mapping[str, Layout], output: str | None = None
    ) -> Self:
        """Return the graph with other nodes, keeping only the weights that they use."""
        kept = tuple(nodes)
        used = {name for node in kept for name in node.weights.values()}
        return replace(
            self,
            nodes=kept,
            weights={name: layout for name, layout in weights.items() if name in used},
            output=output or self.output,
        )

    def __str__(self) -> str:
        from gossamer.graph.text import format_graph

        return format_graph(self)
