"""Small graphs with every layout, shared by the tests of the codec."""

import numpy as np
import pytest

from gossamer.graph import Codebook, Dense, Graph, Input, Node, Sparse
from gossamer.graph.ops import (
    Activation,
    Add,
    ChannelPermute,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    ScaleShift,
)
from gossamer.images import InputRecord


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def small_graph(rng):
    """One branch, one shared weight, all three layouts, names that are not the default."""
    sparse = rng.standard_normal((8, 3, 3, 3)).astype(np.float32)
    sparse[rng.random(sparse.shape) < 0.8] = 0
    shared = rng.integers(-2, 3, (8, 8, 1, 1)).astype(np.float32) / 4
    nodes = (
        Node("c1", Conv2d(padding=(1, 1, 1, 1)), ("x",), {"weight": "c1.weight", "bias": "b"}),
        Node("r1", Activation("relu"), ("c1",)),
        Node("p", ChannelPermute((0, 4, 1, 5, 2, 6, 3, 7)), ("r1",)),
        Node("c2", Conv2d(), ("p",), {"weight": "w"}),
        Node("c3", Conv2d(), ("p",), {"weight": "w"}),
        Node("sum", Add("relu6"), ("c2", "c3")),
        Node("n", ScaleShift(), ("sum",), {"scale": "n.scale", "shift": "b"}),
        Node("q", ChannelPermute((1, 0, 2, 3, 4, 5, 6, 7)), ("n",)),
        Node("pool", GlobalAvgPool(), ("q",)),
        Node("flat", Flatten(), ("pool",)),
        Node("out", Linear(), ("flat",), {"weight": "out.weight", "bias": "out.bias"}),
    )
    weights = {
        "out.bias": Dense(rng.standard_normal(10)),
        "c1.weight": Sparse.from_dense(sparse),
        "b": Dense(rng.standard_normal(8)),
        "w": Codebook.from_dense(shared),
        "n.scale": Dense(np.ones(8)),
        "out.weight": Dense(rng.standard_normal((10, 8))),
    }
    record = InputRecord(6, 6, mean=(0.1, 0.2, 0.3), class_names=("a", "ä", "猫"))
    return Graph(
        Input("x", (1, 3, 6, 6), frozenset({0, 2, 3})), nodes, "out", weights, record, "small"
    )


def vector_graph(layout):
    """A network around one weight: y = weight x."""
    shape = layout.shape
    node = Node("y", Linear(), ("x",), {"weight": "y.weight"})
    return Graph(Input("x", (1, shape[1])), (node,), "y", {"y.weight": layout})


@pytest.fixture
def graph_around():
    return vector_graph
