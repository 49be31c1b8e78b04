"""Random well-formed graphs, and a single-threaded torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from gossamer.graph import Dense, Graph, Input, Node, verify
from gossamer.graph.activations import ACTIVATIONS, leaky_relu
from gossamer.graph.ops import (
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
    Quantise,
    ScaleShift,
    Softmax,
    Threshold,
)
from gossamer.images import InputRecord


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class _Maker:
    """Grows a graph node by node from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = (2, int(self.rng.choice([2, 4, 6])), 7, 6)
        self.nodes: list[Node] = []
        self.weights: dict[str, Dense] = {}
        self.shapes = {"x": self.shape}
        self.last = "x"

    def add(self, op: Op, *inputs: str, **weights: np.ndarray) -> None:
        name = f"n{len(self.nodes)}"
        roles = {role: f"{name}.{role}" for role in weights}
        for role, array in weights.items():
            self.weights[roles[role]] = Dense(array)
        self.nodes.append(Node(name, op, inputs or (self.last,), roles))
        shapes = {role: array.shape for role, array in weights.items()}
        self.shapes[name] = op.output_shape([self.shapes[n] for n in self.nodes[-1].inputs], shapes)
        self.last = name

    def channels(self) -> int:
        return self.shapes[self.last][1]

    def weight(self, *shape: int) -> np.ndarray:
        """Random values: continuous or few, with zero entries, rows and columns."""
        rng = self.rng
        few = rng.choice([-0.5, 0.25, 1.0], shape)
        array = rng.standard_normal(shape) if rng.random() < 0.6 else few
        array[rng.random(shape) < rng.choice([0, 0.5])] = 0
        array[rng.random(shape[0]) < 0.3] = 0
        array[:, rng.random(shape[1]) < 0.3] = 0
        return array

    def vector(self, length: int) -> np.ndarray:
        return self.rng.standard_normal(length) * (self.rng.random(length) < 0.6)

    def activation(self) -> str:
        return str(self.rng.choice((*ACTIVATIONS, leaky_relu(0.1))))

    def conv(self) -> None:
        c, rng = self.channels(), self.rng
        groups = int(rng.choice([g for g in (1, 1, 2, c) if c % g == 0]))
        k = c if groups > 1 else int(rng.choice([2, 4, 6]))
        r, s = (int(v) for v in rng.integers(1, 4, 2))
        op = Conv2d(
            padding=(r // 2, s // 2, r // 2, s // 2), groups=groups, activation=self.activation()
        )
        bias = {"bias": self.vector(k)} if rng.random() < 0.5 else {}
        self.add(op, weight=self.weight(k, c // groups, r, s), **bias)

    def norm(self) -> None:
        count = self.channels()
        op = ScaleShift() if count < 2 or self.rng.random() < 0.7 else LayerNorm(0.1)
        self.add(op, scale=self.vector(count), shift=self.vector(count))

    def permute(self) -> None:
        order = tuple(int(i) for i in self.rng.permutation(self.channels()))
        self.add(ChannelPermute(order))

    def pool(self) -> None:
        if min(self.shapes[self.last][2:]) >= 2:
            cls = MaxPool2d if self.rng.random() < 0.5 else AvgPool2d
            self.add(cls((2, 2), (1, 1), (0, 1, 1, 0), ceil_mode=bool(self.rng.random() < 0.5)))

    def subsample(self) -> None:
        stride = int(self.rng.integers(1, 3)), int(self.rng.integers(1, 4))
        self.add(MaxPool2d((1, 1), stride))

    def select(self) -> None:
        order = self.rng.integers(-1, self.channels(), int(self.rng.choice([2, 4])))
        self.add(ChannelSelect(tuple(int(i) for i in order)))

    def quantise(self) -> None:
        """Round the input; behind sums, rounding errors would decide between two levels."""
        low, high = sorted(int(v) for v in self.rng.integers(-128, 128, 2))
        scale = float(np.float32(self.rng.uniform(0.01, 0.1)))
        self.add(Quantise(scale, int(self.rng.integers(low, high + 1)), low, high))

    def cut(self) -> None:
        """Set low entries of the input to zero; as with levels, rounding would decide later on."""
        if self.rng.random() < 0.5:
            self.add(Threshold(), threshold=self.rng.choice([0.25, 0.5], self.channels()))
        else:
            self.add(KWinners(float(self.rng.choice([0.3, 0.5, 1.0]))))

    def gate(self) -> None:
        name, (n, c, *_) = self.last, self.shapes[self.last]
        pooled = [other for other, shape in self.shapes.items() if shape == (n, c, 1, 1)]
        self.add(Multiply(), name, str(self.rng.choice([name, *pooled])))

    def excite(self) -> None:
        name, c = self.last, self.channels()
        self.add(GlobalAvgPool())
        self.add(Flatten())
        self.add(Linear("sigmoid"), weight=self.weight(c, c))
        self.add(Multiply(), name, self.last)

    def join(self) -> None:
        same = [name for name, shape in self.shapes.items() if shape == self.shapes[self.last]]
        other = str(self.rng.choice(same))
        if self.rng.random() < 0.5:
            self.add(Add(self.activation()), self.last, other)
        else:
            self.add(Concat(), other, self.last)

    def head(self) -> None:
        if self.rng.random() < 0.5:
            self.add(GlobalAvgPool())
        if self.rng.random() < 0.3:
            self.permute()
        self.add(Flatten())
        if self.rng.random() < 0.3:
            self.norm()
        self.add(Linear(self.activation()), weight=self.weight(3, self.channels()))
        if self.rng.random() < 0.2:
            self.add(Softmax())

    def graph(self) -> Graph:
        steps = [
            self.conv,
            self.conv,
            self.norm,
            self.permute,
            self.pool,
            self.join,
            self.subsample,
            self.select,
            self.gate,
            self.excite,
            lambda: self.add(LocalResponseNorm(3, 0.5)),
            lambda: self.add(Activation(self.activation())),
        ]
        if self.rng.random() < 0.2:
            self.quantise()
        elif self.rng.random() < 0.2:
            self.cut()
        for _ in range(int(self.rng.integers(1, 9))):
            steps[int(self.rng.integers(len(steps)))]()
        if self.rng.random() < 0.6:
            self.head()
        return verify(
            Graph(Input("x", self.shape), tuple(self.nodes), self.last, self.weights, name="random")
        )


@pytest.fixture
def named_graph() -> Graph:
    """A graph as a rewrite leaves it, with a record of its input and free axes."""
    rng = np.random.default_rng(3)
    weights = {
        "first.weight": Dense(rng.standard_normal((4, 3, 3, 3))),
        "first.bias": Dense(rng.standard_normal(4)),
        "last.weight": Dense(rng.standard_normal((2, 4))),
    }
    nodes = (
        Node(
            "first",
            Conv2d((2, 1), (1, 1, 0, 1), activation="silu"),
            ("pixels",),
            {"weight": "first.weight", "bias": "first.bias"},
        ),
        Node("gate", Activation("sigmoid"), ("first",)),
        Node("pool", GlobalAvgPool(), ("gate",)),
        Node("flat", Flatten(), ("pool",)),
        Node("last", Linear("relu"), ("flat",), {"weight": "last.weight"}),
        Node("likely", Softmax(), ("last",)),
    )
    record = InputRecord(9, 8, mean=(0.1, 0.2, 0.3), class_names=("a", "ä"))
    source = Input("pixels", (1, 3, 9, 8), frozenset({0, 2, 3}))
    return Graph(source, nodes, "likely", weights, record, "named")


@pytest.fixture(scope="session")
def random_graph() -> Callable[[int], Graph]:
    """A function from a seed to a random graph of up to a dozen operators."""
    return lambda seed: _Maker(seed).graph()
