"""Random graphs of levels whose arithmetic is exact, so that programs must equal the interpreter.

All scales are powers of two, weights are small integers and biases whole multiples: every value is
a number that float32 holds, however it is computed. Halves occur often, and go to even.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.layouts import Layout, Quantised
from gossamer.graph.ops import (
    Activation,
    Add,
    ChannelPermute,
    Concat,
    Conv2d,
    MaxPool2d,
    Op,
    Quantise,
)

LIMITING = ("identity", "relu", "relu6")


def random_code_graph(rng: np.random.Generator, largest: int = 24) -> Graph:
    """Return a graph of convolutions, sums, pools and concatenations between roundings."""
    size = tuple(int(n) for n in rng.integers(1, 1 + rng.choice([3, 9, largest]), 2))
    shape = (1, int(rng.integers(1, 13)), *size)
    growing = _Growing(rng, {"x": shape})
    value = growing.add(growing.levels(), "x")
    for _ in range(int(rng.integers(1, 6))):
        ways = (growing.conv, growing.conv, growing.residual, growing.pool, growing.concat)
        way = ways[int(rng.integers(len(ways)))]
        value = way(value) if rng.random() < 0.9 else growing.permute(value)
    if rng.random() < 0.5:
        value = growing.layer(value)
    return growing.finish(shape, value)


@dataclass
class _Growing:
    rng: np.random.Generator
    shapes: dict[str, tuple[int, ...]]
    nodes: list[Node] = field(default_factory=list)
    weights: dict[str, Layout] = field(default_factory=dict)

    def levels(self) -> Quantise:
        """Return levels of any kind: signed or not, few or many, zero anywhere."""
        low = int(self.rng.choice([-128, -128, 0, 0, -5]))
        high = low + int(self.rng.choice([255, 255, 255, 127, 9]))
        zero = int(self.rng.choice([low, high, 0, self.rng.integers(low, high + 1)]))
        return Quantise(2.0 ** int(self.rng.integers(-3, 1)), min(max(zero, low), high), low, high)

    def add(self, op: Op, *inputs: str, **weights: Layout) -> str:
        """Add a node and return its name; return its first input if the shapes do not fit."""
        shapes = {role: layout.shape for role, layout in weights.items()}
        try:
            shape = op.output_shape([self.shapes[name] for name in inputs], shapes)
        except ShapeError:
            return inputs[0]
        name = f"n{len(self.nodes)}"
        self.weights |= {f"{name}.{role}": layout for role, layout in weights.items()}
        self.nodes.append(Node(name, op, inputs, {role: f"{name}.{role}" for role in weights}))
        self.shapes[name] = shape
        return name

    def layer(self, value: str, filters: int = 0, activation: str | None = None) -> str:
        """Add a convolution; with `filters` given, it keeps the size of pictures."""
        rng, channels = self.rng, self.shapes[value][1]
        groups = int(rng.choice([g for g in (1, 1, 1, 2, 4, channels) if channels % g == 0]))
        keeps, filters = filters > 0, filters or groups * int(rng.integers(1, 13))
        groups = groups if filters % groups == 0 else 1
        kernel, stride, dilation = (
            self._pair(c) for c in ([1, 1, 2, 3, 5], [1, 1, 2, 3], [1, 1, 2])
        )
        padding = tuple(int(n) for n in rng.integers(0, 3, 4))
        if keeps:
            kernel, stride = (kernel[0] | 1, kernel[1] | 1), (1, 1)
            padding = tuple(dilation[a] * (kernel[a] - 1) // 2 for a in (0, 1, 0, 1))
        shape = (filters, channels // groups, *kernel)
        most = int(rng.choice([3, 20, 128]))
        integers = np.clip(rng.integers(-most, most + 1, shape), -128, 127)
        integers *= rng.random(shape) < rng.choice([0.1, 0.5, 1.0])
        scales = 2.0 ** rng.integers(-8, -4, filters)
        weights: dict[str, Layout] = {"weight": Quantised(integers.astype(np.int8), scales)}
        if rng.random() < 0.6:
            weights["bias"] = Dense(rng.integers(-99, 99, filters) / 16)
        activation = activation or str(rng.choice(LIMITING))
        return self.add(Conv2d(stride, padding, dilation, groups, activation), value, **weights)

    def conv(self, value: str) -> str:
        """Add a convolution and round its result."""
        return self.add(self.levels(), self.layer(value))

    def residual(self, value: str) -> str:
        """Add a rounded sum of the value and a rounded convolution of it."""
        made = self.add(self.levels(), self.layer(value, self.shapes[value][1]))
        if self.rng.random() < 0.3:
            value = self.add(self.levels(), self.layer(value, self.shapes[value][1]))
        terms = (made, value) if self.rng.random() < 0.5 else (value, made)
        return self.add(self.levels(), self.add(Add(str(self.rng.choice(LIMITING))), *terms))

    def pool(self, value: str) -> str:
        """Add a pool, mostly to the levels that it reads."""
        kernel = self._pair([2, 3])
        padding = tuple(int(self.rng.integers(0, kernel[a % 2] // 2 + 1)) for a in range(4))
        made = self.add(MaxPool2d(kernel, self._pair([1, 2]), padding), value)
        same = next(node.op for node in self.nodes if node.name == value)
        levels = same if isinstance(same, Quantise) and self.rng.random() < 0.7 else self.levels()
        return self.add(levels, made)

    def concat(self, value: str) -> str:
        """Add a rounded concatenation of the value, a convolution and a real activation.

        Or of convolutions that are rounded to the same levels, whose codes lie side by side.
        """
        if self.rng.random() < 0.5:
            levels = self.levels()
            counts = [int(n) for n in self.rng.choice([4, 4, 8, 3], int(self.rng.integers(1, 4)))]
            layers = [self.add(levels, self.layer(value, count)) for count in counts]
            return self.add(levels, self.add(Concat(), *layers))
        parts = [value, self.conv_of_size(value), self.add(Activation("relu"), value)]
        order = self.rng.permutation(3)[: int(self.rng.integers(2, 4))]
        return self.add(self.levels(), self.add(Concat(), *(parts[i] for i in order)))

    def conv_of_size(self, value: str) -> str:
        """Add a rounded convolution that keeps the size of pictures."""
        return self.add(self.levels(), self.layer(value, int(self.rng.integers(1, 13))))

    def permute(self, value: str) -> str:
        """Add a rounded permutation of channels."""
        order = self.rng.permutation(self.shapes[value][1])
        made = self.add(ChannelPermute(tuple(int(i) for i in order)), value)
        return self.add(self.levels(), made)

    def finish(self, shape: tuple[int, ...], output: str) -> Graph:
        """Return the graph, without what its output does not need."""
        needed = {output}
        for node in reversed(self.nodes):
            if node.name in needed:
                needed |= set(node.inputs)
        nodes = tuple(node for node in self.nodes if node.name in needed)
        used = {name for node in nodes for name in node.weights.values()}
        kept = {name: layout for name, layout in self.weights.items() if name in used}
        return Graph(Input("x", shape), nodes, output, kept)

    def _pair(self, choices: list[int]) -> tuple[int, int]:
        first, second = (int(n) for n in self.rng.choice(choices, 2))
        return (first, first) if self.rng.random() < 0.6 else (first, second)
