"""A small network whose channels differ, images for it, and how far two graphs are apart."""

from dataclasses import replace

import numpy as np
import pytest

from gossamer.graph import Dense, Graph, Input, Node, interpret
from gossamer.graph.ops import Add, Conv2d, Flatten, GlobalAvgPool, Linear


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def residual_graph(rng, width=12):
    def normal(*shape):
        size = np.exp(rng.normal(0, 0.5, (shape[0], 1, 1, 1))) / np.sqrt(np.prod(shape[1:]))
        return Dense(size * rng.standard_normal(shape))

    pad = {"padding": (1, 1, 1, 1), "activation": "relu"}
    nodes = (
        Node("stem", Conv2d(**pad), ("x",), {"weight": "w0", "bias": "b0"}),
        Node("mid", Conv2d(**pad), ("stem",), {"weight": "w1"}),
        Node("sum", Add("relu"), ("mid", "stem")),
        Node("down", Conv2d(stride=(2, 2), **pad), ("sum",), {"weight": "w2", "bias": "b2"}),
        Node("pool", GlobalAvgPool(), ("down",)),
        Node("flat", Flatten(), ("pool",)),
        Node("out", Linear(), ("flat",), {"weight": "w3", "bias": "b3"}),
    )
    weights = {
        "w0": normal(width, 2, 3, 3),
        "b0": Dense(rng.standard_normal(width)),
        "w1": normal(width, width, 3, 3),
        "w2": normal(width, width, 3, 3),
        "b2": Dense(rng.standard_normal(width)),
        "w3": Dense(rng.standard_normal((5, width))),
        "b3": Dense(np.zeros(5)),
    }
    return Graph(Input("x", (1, 2, 8, 8)), nodes, "out", weights)


@pytest.fixture
def images(rng):
    # Neighbouring pixels are alike, as in pictures: else inputs would not be correlated.
    noise = rng.standard_normal((48, 2, 10, 10)).astype(np.float32)
    return (noise[:, :, 1:-1, 1:-1] + noise[:, :, 2:, 1:-1] + noise[:, :, 1:-1, 2:]).astype(
        np.float32
    )


@pytest.fixture
def net(rng, images):
    """Its outputs are balanced, so that the likeliest class says something."""
    graph = residual_graph(rng)
    balanced = Dense(-interpret(graph, images).mean(axis=0))
    return replace(graph, weights={**graph.weights, "b3": balanced})


@pytest.fixture
def change():
    """Mean squared distance of two graphs' outputs, against the first's own spread."""

    def measure(one, other, images):
        a, b = interpret(one, images), interpret(other, images)
        return float(((a - b) ** 2).mean() / a.var())

    return measure
