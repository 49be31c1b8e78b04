"""Random small graphs of all operators: chains, branches, sums, nested concatenations, gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Graph, Input, Node, Sparse
from gossamer.graph.layouts import Codebook, Layout, Quantised
from gossamer.graph.ops import (
    ACTIVATIONS,
    COMPETITIONS,
    Activation,
    Add,
    AvgPool2d,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Multiply,
    Op,
    ScaleShift,
    Softmax,
    Threshold,
)
from tests.compile.graphs import sparse_array

MOST_ENTRIES = 20_000
"""Of one value, so that the interpreter does not take long."""


def random_graph(
    rng: np.random.Generator, activations: Sequence[str] = ACTIVATIONS, largest: int = 28
) -> Graph:
    """Return a graph of about ten nodes at most, all of which the output needs.

    Args:
        rng: that decides.
        activations: to choose from.
        largest: height and width of the input at most.
    """
    flat = rng.random() < 0.05
    size = tuple(int(n) for n in rng.integers(1, 1 + rng.choice([3, 11, largest]), 2))
    shape = (1, int(rng.integers(1, 9)), *(() if flat else size))
    growing = Growing(rng, activations, {"x": shape})
    if rng.random() < 0.2:
        growing.cut("x")  # behind sums, rounding would decide which side of a jump an entry is on
    for _ in range(int(rng.integers(1, 11))):
        growing.grow()
    return growing.finish(shape)


@dataclass
class Growing:
    """A graph that grows from its input; `shapes` holds the values so far, oldest first."""

    rng: np.random.Generator
    activations: Sequence[str]
    shapes: dict[str, tuple[int, ...]]
    nodes: list[Node] = field(default_factory=list)
    weights: dict[str, Layout] = field(default_factory=dict)

    def grow(self) -> None:
        """Add one operator, or the few of a pattern."""
        value = self._recent(list(self.shapes))
        ways = ON_PLANES if len(self.shapes[value]) == 4 else ON_VECTORS
        ways[int(self.rng.integers(len(ways)))](self, value)

    def finish(self, shape: tuple[int, ...]) -> Graph:
        """Return the graph, without what its output does not need."""
        if not self.nodes:
            self.add(Activation("relu"), "x")
        output, needed = self.nodes[-1].name, {self.nodes[-1].name}
        for node in reversed(self.nodes):
            if node.name in needed:
                needed |= set(node.inputs)
        nodes = tuple(node for node in self.nodes if node.name in needed)
        used = {name for node in nodes for name in node.weights.values()}
        kept = {name: layout for name, layout in self.weights.items() if name in used}
        return Graph(Input("x", shape), nodes, output, kept)

    def add(self, op: Op, *inputs: str, **weights: np.ndarray) -> str:
        """Add a node and return its name; return its first input if the shapes do not fit."""
        shapes = {role: array.shape for role, array in weights.items()}
        try:
            shape = op.output_shape([self.shapes[name] for name in inputs], shapes)
        except ShapeError:
            return inputs[0]
        if prod(shape) > MOST_ENTRIES:
            return inputs[0]
        name = f"n{len(self.nodes)}"
        for role, array in weights.items():
            self.weights[f"{name}.{role}"] = self._held(array)
        self.nodes.append(Node(name, op, inputs, {role: f"{name}.{role}" for role in weights}))
        self.shapes[name] = shape
        return name

    def _held(self, array: np.ndarray) -> Layout:
        """Return a weight in some layout; shared values are rounded ones."""
        if array.ndim == 1:
            return Dense.from_dense(array)
        place = self.rng.random()
        if 0.3 < place < 0.5:
            step = np.float32(0.02 if place < 0.4 else 0.3)
            return Codebook.from_dense(np.rint(array / step) * step)
        if place > 0.85:
            integers = np.clip(np.rint(10 * array), -127, 127).astype(np.int8)
            return Quantised(integers, (np.arange(len(array)) % 5 / 20).astype(np.float32))
        return (Sparse if place < 0.5 else Dense).from_dense(array)

    def conv(self, value: str, **fixed: object) -> str:
        """Add a convolution; with `filters` given, it keeps the size of pictures."""
        rng, channels = self.rng, self.shapes[value][1]
        keeps_size = "filters" in fixed
        groups = int(rng.choice([g for g in (1, 1, 2, 3, 4, channels) if channels % g == 0]))
        filters = fixed.get("filters") or groups * int(rng.integers(1, 9))
        if filters % groups:
            groups = 1
        kernel = self._pair([1, 1, 2, 3, 3, 5])
        dilation, stride = self._pair([1, 1, 1, 2, 3]), self._pair([1, 1, 1, 2, 3])
        padding = tuple(int(n) for n in rng.integers(0, 3, 4))
        if keeps_size:
            kernel, stride = (kernel[0] | 1, kernel[1] | 1), (1, 1)
            padding = tuple(dilation[a] * (kernel[a] - 1) // 2 for a in (0, 1, 0, 1))
        weights = self._filters((filters, channels // groups, *kernel))
        op = Conv2d(stride, padding, dilation, groups, str(fixed.get("activation", self._act())))
        return self.add(op, value, **weights)

    def linear(self, value: str) -> str:
        """Add a linear layer."""
        shape = (int(self.rng.integers(1, 40)), self.shapes[value][1])
        return self.add(Linear(self._act()), value, **self._filters(shape))

    def residual(self, value: str) -> str:
        """Add a sum with one or two convolutions of the value, in any order."""
        filters = self.shapes[value][1]
        made = self.conv(value, filters=filters, activation="identity")
        other = value
        if self.rng.random() < 0.4:
            other = self.conv(value, filters=filters, activation="identity")
        if self.rng.random() < 0.3:
            other = self.add(Activation("relu"), other)
        terms = (made, other) if self.rng.random() < 0.5 else (other, made)
        return self.add(Add(self._act()), *terms)

    def sum(self, value: str) -> str:
        """Add a sum with any value of this shape."""
        return self.add(
            Add(self._act()), value, self._recent(self._alike(value, self.shapes[value]))
        )

    def product(self, value: str) -> str:
        """Add a product with a value of this shape or with one factor a channel."""
        shape = self.shapes[value]
        others = [
            *self._alike(value, shape),
            *self._alike(value, (*shape[:2], 1, 1)),
            *self._alike(value, shape[:2]),
        ]
        return self.add(Multiply(), value, self._recent(others))

    def gate(self, value: str) -> str:
        """Add squeeze and excite, alone or with what networks put behind: a layer, a sum."""
        rng, made = self.rng, self.add(GlobalAvgPool(), value)
        if rng.random() < 0.5:
            made = self.small(made, int(rng.integers(1, 9)), self._act())
        made = self.small(made, self.shapes[value][1], str(rng.choice(["sigmoid", "hard_sigmoid"])))
        if rng.random() < 0.3:
            made = self.add(Flatten(), made)
        product, kind = self.add(Multiply(), value, made), rng.random()
        if kind < 0.4:
            rows = int(rng.integers(1, 9))
            weights = self._filters((rows, self.shapes[value][1], 1, 1))
            stride = self._pair([1, 1, 1, 2])
            activation = "identity" if kind < 0.2 else self._act()
            product = self.add(Conv2d(stride, activation=activation), product, **weights)
        if kind < 0.2 or kind > 0.7:
            others = self._alike(product, self.shapes[product])
            product = self.add(Add(self._act()), product, self._recent(others))
        return product

    def small(self, value: str, filters: int, activation: str) -> str:
        """Add a convolution that reads one pixel, of which size ever its filters are."""
        if self.rng.random() < 0.3:
            return self.conv(value, filters=filters, activation=activation)
        weights = self._filters((filters, self.shapes[value][1], 1, 1))
        return self.add(Conv2d(activation=activation), value, **weights)

    def concat(self, value: str) -> str:
        """Add a concatenation with values of this size, perhaps the same one, perhaps new ones."""
        shape, parts = self.shapes[value], [value]
        same = [n for n, s in self.shapes.items() if (s[0], *s[2:]) == (shape[0], *shape[2:])]
        for _ in range(int(self.rng.integers(0, 4))):
            part = self._recent(same)
            if len(shape) == 4 and self.rng.random() < 0.6:
                part = self.conv(part, filters=int(self.rng.integers(1, 9)))
            parts.insert(int(self.rng.integers(len(parts) + 1)), part)
        return self.add(Concat(), *parts)

    def permute(self, value: str) -> str:
        """Add a permutation of channels."""
        order = self.rng.permutation(self.shapes[value][1])
        return self.add(ChannelPermute(tuple(int(i) for i in order)), value)

    def select(self, value: str) -> str:
        """Add a choice of channels, some repeated, some zero."""
        least = int(self.rng.choice([-1, 0]))
        order = self.rng.integers(least, self.shapes[value][1], int(self.rng.integers(1, 12)))
        return self.add(ChannelSelect(tuple(int(i) for i in order)), value)

    def pool(self, value: str) -> str:
        """Add a pooling window."""
        kernel, stride = self._pair([1, 2, 3, 3, 4]), self._pair([1, 2, 2, 3])
        dilation, ceil = self._pair([1, 1, 1, 2]), bool(self.rng.integers(2))
        padding = tuple(int(self.rng.integers(0, kernel[a % 2] // 2 + 1)) for a in range(4))
        op: Op = MaxPool2d(kernel, stride, padding, dilation, ceil)
        if self.rng.random() < 0.5:
            op = AvgPool2d(kernel, stride, padding, ceil, bool(self.rng.integers(2)))
        return self.add(op, value)

    def norm(self, value: str) -> str:
        """Add a norm layer, by constants or by each pixel's own channels."""
        op = LayerNorm(0.1) if self.rng.random() < 0.4 else ScaleShift()
        vector = (self.shapes[value][1],)
        weights = {role: sparse_array(self.rng, vector, 0.8) for role in ("scale", "shift")}
        return self.add(op, value, **weights)

    def response_norm(self, value: str) -> str:
        """Add a norm over channels."""
        beta = float(self.rng.choice([0.75, 0.75, 0.5]))
        return self.add(LocalResponseNorm(int(self.rng.integers(1, 7)), 0.3, beta, 1.5), value)

    def cut(self, value: str) -> str:
        """Set low entries to zero."""
        if self.rng.random() < 0.5:
            limits = self.rng.choice([0.25, 0.5], self.shapes[value][1])
            return self.add(Threshold(), value, threshold=limits)
        density = float(self.rng.choice([0.3, 0.5]))
        return self.add(KWinners(density, str(self.rng.choice(COMPETITIONS))), value)

    def _filters(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Return a weight, perhaps with scale and bias, that keeps values about as large."""
        rng, density = self.rng, float(self.rng.choice([0.0, 0.05, 0.2, 0.5, 0.9, 1.0]))
        if rng.random() < 0.9:
            density = max(density, 0.05)
        weight = sparse_array(rng, shape, density) / np.float32(max(1.0, prod(shape[1:])) ** 0.5)
        weights = {"weight": weight}
        for role in ("scale", "bias"):
            if rng.random() < 0.3:
                weights[role] = rng.standard_normal(shape[0]).astype(np.float32)
        return weights

    def _act(self) -> str:
        return str(self.rng.choice(self.activations))

    def _pair(self, choices: list[int]) -> tuple[int, int]:
        first, second = (int(n) for n in self.rng.choice(choices, 2))
        return (first, first) if self.rng.random() < 0.6 else (first, second)

    def _alike(self, value: str, shape: tuple[int, ...]) -> list[str]:
        return [name for name, other in self.shapes.items() if other == shape] or [value]

    def _recent(self, names: list[str]) -> str:
        """Return one of the names, the last ones most often."""
        return names[-1 - min(int(self.rng.geometric(0.5)) - 1, len(names) - 1)]


Way = Callable[[Growing, str], str]
_ANY: tuple[Way, ...] = (
    lambda g, v: g.add(Activation(g._act()), v),
    lambda g, v: g.add(Softmax(), v),
    Growing.sum,
    Growing.product,
    Growing.concat,
    Growing.select,
    Growing.norm,
)
ON_PLANES: tuple[Way, ...] = (
    *_ANY,
    *[Growing.conv] * 6,
    *[Growing.residual] * 4,
    *[Growing.concat] * 2,
    *[Growing.pool] * 3,
    Growing.gate,
    Growing.permute,
    Growing.response_norm,
    lambda g, v: g.add(GlobalAvgPool(), v),
    lambda g, v: g.add(Flatten(), v),
)
ON_VECTORS: tuple[Way, ...] = (*_ANY, *[Growing.linear] * 5)
