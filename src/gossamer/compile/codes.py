"""Which rounded values are held as codes, bytes that count levels, and what makes them.

A rounding is kept as codes if something reads it that computes with integers: a convolution with
integer weights, a pool or a mean. Whoever else reads it gets real numbers, made when asked for.
What stands before a rounding is made together with it, if nothing else reads it:

    conv ─ quantise                               one step, codes to codes
    conv ─ quantise ─ add ─ quantise              one step: the other term is added on the way
    max pool ─ quantise to the levels it reads    one step: largest code, largest number
    concat ─ quantise to the levels it reads      no step: the parts are made side by side
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gossamer.compile.places import Places
from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import (
    Add,
    Concat,
    Conv2d,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Quantise,
    Shape,
)

LIMITS = {"identity": (-np.inf, np.inf), "relu": (0.0, np.inf), "relu6": (0.0, 6.0)}
"""Activations that only limit what levels limit anyway."""
LARGEST_SUM = 2**31 - 1
SPARSE_LINEAR = 0.25
"""Density up to which a linear layer of real numbers, which skips zeros, is faster."""
MOST_PIXELS = 2**22
"""Of a picture whose codes are added up in 32 bits."""


@dataclass(frozen=True)
class Fusion:
    """What is made together with a rounding.

    Args:
        maker: a convolution, a pool or a concatenation.
        activation: of the result.
        rounding: of the maker's own result, if something is added to that.
        other: value that is added.
    """

    maker: Node
    activation: str = "identity"
    rounding: Quantise | None = None
    other: str = ""


class CodePlan:
    """Which values of a graph are held as codes.

    Args:
        graph: a network.
        shapes: value → shape for one image.
        places: where values lie.

    Attributes:
        coded: names of roundings in planes that are kept as codes.
        flat_coded: names of flat roundings that are kept as codes, too.
        fusions: rounding → what is made together with it.
        absorbed: names of nodes that are made together with a later one.
        hosted: rounding → the rounding in whose memory its codes are made, and its first quad
            there.
    """

    def __init__(self, graph: Graph, shapes: Mapping[str, Shape], places: Places) -> None:
        self._graph, self._shapes, self._places = graph, shapes, places
        self._nodes = {node.name: node for node in graph.nodes}
        self._readers: dict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            for name in node.inputs:
                self._readers[name].append(node)
        self.coded: set[str] = set()
        self.flat_coded = {n.inputs[0] for n in graph.nodes if self.takes_flat_codes(n)}
        self.fusions: dict[str, Fusion] = {}
        self.absorbed: set[str] = set()
        self.hosted: dict[str, tuple[str, int]] = {}
        # From the end, so that it is known which sums and pools are made as codes.
        for node in reversed(graph.nodes):
            if isinstance(node.op, Quantise) and node.name not in self.absorbed:
                self._decide(node)

    def rounding(self, value: str) -> Quantise | None:
        """Return the levels of a value in planes, if it is a rounding."""
        node = self._nodes.get(value)
        if node is None or node.name not in self._places.homes:
            return None
        return node.op if isinstance(node.op, Quantise) else None

    def flat_rounding(self, value: str) -> Quantise | None:
        """Return the levels of a flat value, if it is a rounding."""
        node = self._nodes.get(value)
        if node is None or node.name in self._places.homes:
            return None
        return node.op if isinstance(node.op, Quantise) else None

    def reads_reals(self, value: str) -> bool:
        """Whether something reads a flat value as real numbers, or it is the output."""
        is_read = any(not self.takes_flat_codes(node) for node in self._readers[value])
        return is_read or value == self._graph.output

    def takes_codes(self, node: Node) -> bool:
        """Whether a node is a convolution of codes with integers whose sums 32 bits hold."""
        is_conv = isinstance(node.op, Conv2d) and self.rounding(node.inputs[0]) is not None
        return is_conv and self._has_integers(node)

    def takes_flat_codes(self, node: Node) -> bool:
        """Whether a node is a linear layer of codes with integers, most of them not zero."""
        is_linear = isinstance(node.op, Linear) and self.flat_rounding(node.inputs[0]) is not None
        if not is_linear or not self._has_integers(node):
            return False
        return self._graph.weights[node.weights["weight"]].density > SPARSE_LINEAR

    def _has_integers(self, node: Node) -> bool:
        """Whether a layer's weights are integers whose sums with codes 32 bits hold."""
        layout = self._graph.weights[node.weights["weight"]]
        if not isinstance(layout, Quantised):
            return False
        others = (self._graph.weights[n] for role, n in node.weights.items() if role != "weight")
        if not all(np.isfinite(other.to_dense()).all() for other in others):
            return False
        sizes = np.abs(layout.integers.reshape(len(layout.integers), -1).astype(np.int64)).sum(1)
        return int(sizes.max(initial=0)) * 2 * 255 <= LARGEST_SUM

    def _decide(self, node: Node) -> None:
        if node.name not in self._places.homes or not self._is_wanted(node):
            return
        self.coded.add(node.name)
        maker = self._nodes.get(node.inputs[0])
        if maker is None or not self._is_inside(maker, node):
            return
        fusion = self._fusion(node, maker)
        if fusion is not None:
            self.fusions[node.name] = fusion
            self.absorbed |= {maker.name, fusion.maker.name}
            if isinstance(maker.op, Concat):
                self._host_parts(maker, node.name)
            if fusion.rounding is not None:
                self.absorbed |= set(maker.inputs) - {fusion.other}

    def _is_wanted(self, node: Node) -> bool:
        return any(self.wants(reader, node.name) for reader in self._readers[node.name])

    def wants(self, reader: Node, value: str) -> bool:
        """Whether a reader computes with the codes of a value."""
        if isinstance(reader.op, Add | MaxPool2d | Concat):
            return reader.name in self.absorbed
        if isinstance(reader.op, GlobalAvgPool):
            return int(np.prod(self._shapes[value][2:])) <= MOST_PIXELS
        return self.takes_codes(reader)

    def _is_inside(self, node: Node, reader: Node) -> bool:
        """Whether only `reader` reads a node, and its result lies where that of the reader does."""
        return (
            self._readers[node.name] == [reader]
            and node.name != self._graph.output
            and node.name in self._places.homes
            and self._places.homes[node.name] == self._places.homes[reader.name]
        )

    def _fusion(self, node: Node, maker: Node) -> Fusion | None:
        """Return how a rounding is made together with what it reads."""
        op = maker.op
        if isinstance(op, Conv2d) and self.takes_codes(maker):
            return Fusion(maker, op.activation)
        if isinstance(op, MaxPool2d):
            return Fusion(maker) if self._same_levels(maker.inputs[0], node) else None
        if isinstance(op, Concat):
            return Fusion(maker) if self._can_host(maker, node) else None
        if not isinstance(op, Add) or maker.inputs[0] == maker.inputs[1]:
            return None
        for name, other in (maker.inputs, maker.inputs[::-1]):
            if conv := self._conv_of_term(name, maker):
                rounding = self.rounding(name)
                if rounding is not None and self.rounding(other) is not None:
                    return Fusion(conv, op.activation, rounding, other)
        return None

    def _can_host(self, concat: Node, node: Node) -> bool:
        """Whether all parts of a concatenation can be made side by side, as codes of one kind."""
        parts = concat.inputs
        return (
            node.name not in self.hosted
            and len(set(parts)) == len(parts)
            and all(self._shapes[part][1] % 4 == 0 for part in parts[:-1])
            and all(self._same_levels(part, node) for part in parts)
            and not any(part in self.hosted for part in parts)
            and all(self._places.homes[part] == self._places.homes[node.name] for part in parts)
        )

    def _host_parts(self, concat: Node, name: str) -> None:
        first = 0
        for part in concat.inputs:
            self.hosted[part] = name, first // 4
            first += self._shapes[part][1]

    def _conv_of_term(self, name: str, add: Node) -> Node | None:
        """Return the convolution whose rounded result is a term of a sum and nothing else."""
        term = self._nodes.get(name)
        if term is None or not isinstance(term.op, Quantise) or not self._is_inside(term, add):
            return None
        conv = self._nodes.get(term.inputs[0])
        if conv is None or not self.takes_codes(conv) or not self._is_inside(conv, term):
            return None
        assert isinstance(conv.op, Conv2d)  # for the type checker: it takes codes
        return conv if conv.op.activation in LIMITS else None

    def _same_levels(self, value: str, node: Node) -> bool:
        ops = self.rounding(value), node.op
        return ops[0] is not None and levels_of(ops[0]) == levels_of(ops[1])


def levels_of(op: object) -> tuple[float, int, int]:
    """Return the scale, and the lowest and the highest level counted from zero."""
    assert isinstance(op, Quantise)
    return op.scale, op.low - op.zero_point, op.high - op.zero_point
