"""Collects the nodes and weights of a graph while the nodes of a file are walked."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gossamer.errors import LimitExceededError
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.source import Source
from gossamer.graph.from_onnx.view import View
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Op, Shape

# The channels of a view are integers in an array; no network has so many.
MOST_CHANNELS = 2**24

Value = View | Constant


class Builder:
    """Collects the nodes of a graph.

    Args:
        source: the file's parts.
        example: shape of the network's input, (N, C, H, W) or (N, F).
    """

    def __init__(self, source: Source, example: Shape) -> None:
        self.source = source
        self.nodes: list[Node] = []
        self.weights: dict[str, Layout] = {}
        self.shapes: dict[str, Shape] = {source.input: self._checked(example)}
        self.values: dict[str, Value] = {}
        self.makers: dict[str, Node] = {}
        self.never_negative: dict[str, bool] = {}
        self.settled: dict[View, str] = {}
        self._held: dict[Constant, str] = {}
        self._numbers: dict[str, int] = {}
        self._left = source.tensors.limits.entries

    def constant(self, name: str) -> Constant | None:
        """Return an initialiser of the file."""
        tensors = self.source.tensors
        if name not in self.values and name in tensors.stored:
            self.values[name] = Constant(tensors.read(name), name)
        value = self.values.get(name)
        return value if isinstance(value, Constant) else None

    def charge(self, entries: int, where: str) -> None:
        """Count what is computed from the file's constants; raise if it is too much together."""
        self._left -= entries
        if self._left < 0:
            raise LimitExceededError(
                "what is computed from constants has too many entries",
                where=where,
                expected=f"≤ {self.source.tensors.limits.entries} together",
                hint="pass larger Limits if you trust the file",
            )

    def add(self, label: str, op: Op, inputs: Sequence[str], weights: dict[str, Constant]) -> str:
        """Add a node under a free name like `label`; raises ShapeError if it does not fit."""
        shapes = {role: given.array.shape for role, given in weights.items()}
        shape = self._checked(op.output_shape([self.shapes[name] for name in inputs], shapes))
        name = self._free_name(label, f"{label}.{op.kind}")
        roles = {role: self._weight(given, f"{name}.{role}") for role, given in weights.items()}
        node = Node(name, op, tuple(inputs), roles)
        self.nodes.append(node)
        self.shapes[name], self.makers[name] = shape, node
        return name

    def _checked(self, shape: Shape) -> Shape:
        """Return the shape of a value, none too large to be held."""
        if prod(shape) > self.source.tensors.limits.entries or shape[1] > MOST_CHANNELS:
            raise LimitExceededError("a value is too large", got=shape)
        return shape

    def _weight(self, given: Constant, fallback: str) -> str:
        """Keep a weight under the name of its initialiser, or under `fallback` if computed."""
        if given not in self._held:
            self.charge(given.array.size, f"weight {fallback!r}")
            name, layout = given.origin or fallback, given.layout()
            while name in self.weights and self.weights[name] != layout:
                name += "_"
            self.weights[name], self._held[given] = layout, name
        return self._held[given]

    def _free_name(self, *wishes: str) -> str:
        name = next((wish for wish in wishes if wish not in self.shapes), wishes[-1])
        number = self._numbers.get(wishes[-1], 2)
        while name in self.shapes:
            name, number = f"{wishes[-1]}_{number}", number + 1
        self._numbers[wishes[-1]] = number
        return name
