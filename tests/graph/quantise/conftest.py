"""A small network with a sum, a concatenation, a gate and a head, and images for it."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.graph import Dense, Graph, Input, Node, verify
from gossamer.graph.ops import (
    Activation,
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Multiply,
)

PAD = (1, 1, 1, 1)


def branching_graph(seed: int = 0) -> Graph:
    rng = np.random.default_rng(seed)
    weights: dict[str, Dense] = {}

    def layer(name: str, *shape: int) -> dict[str, str]:
        fan_in = np.prod(shape[1:])
        weights[f"{name}.weight"] = Dense(rng.standard_normal(shape) / np.sqrt(fan_in))
        weights[f"{name}.bias"] = Dense(0.1 * rng.standard_normal(shape[0]))
        return {role: f"{name}.{role}" for role in ("weight", "bias")}

    nodes = (
        Node("stem", Conv2d((1, 1), PAD, activation="relu"), ("x",), layer("stem", 8, 3, 3, 3)),
        Node("a", Conv2d((1, 1), PAD), ("stem",), layer("a", 8, 8, 3, 3)),
        Node("sum", Add("relu"), ("a", "stem")),
        Node("b", Conv2d(activation="relu"), ("sum",), layer("b", 4, 8, 1, 1)),
        Node("c", Conv2d((1, 1), PAD, groups=4), ("b",), layer("c", 4, 1, 3, 3)),
        Node("pool", MaxPool2d((3, 3), (1, 1), PAD), ("sum",)),
        Node("join", Concat(), ("c", "b", "pool")),
        Node("mean", GlobalAvgPool(), ("join",)),
        Node("gate", Conv2d(activation="sigmoid"), ("mean",), layer("gate", 16, 16, 1, 1)),
        Node("gated", Multiply(), ("join", "gate")),
        Node("act", Activation("silu"), ("gated",)),
        Node("half", AvgPool2d((2, 2), (2, 2)), ("act",)),
        Node("last", GlobalAvgPool(), ("half",)),
        Node("flat", Flatten(), ("last",)),
        Node("fc", Linear(), ("flat",), layer("fc", 5, 16)),
    )
    return verify(Graph(Input("x", (1, 3, 8, 8)), nodes, "fc", weights, name="branching"))


@pytest.fixture
def branching() -> Graph:
    return branching_graph()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((12, 3, 8, 8)).astype(np.float32)
