import numpy as np
import pytest
import torch
from torch import nn

from gossamer.bench.engines import Subject
from gossamer.compile.compile import compile
from gossamer.graph import Dense, Graph, Input, Node, Sparse
from gossamer.graph.ops import Conv2d, Flatten, Linear


@pytest.fixture
def subject():
    """A small network with half its weights zero, as a graph and as a module."""
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(2, 5, 3, padding=1), nn.Linear(5 * 6 * 7, 4)
    with torch.no_grad():
        conv.weight *= torch.rand_like(conv.weight) < 0.5
    weights = {
        "cw": Sparse.from_dense(conv.weight.detach().numpy()),
        "cb": Dense(conv.bias.detach().numpy()),
        "fw": Dense(linear.weight.detach().numpy()),
        "fb": Dense(linear.bias.detach().numpy()),
    }
    nodes = (
        Node(
            "conv",
            Conv2d(padding=(1, 1, 1, 1), activation="relu"),
            ("x",),
            {"weight": "cw", "bias": "cb"},
        ),
        Node("flat", Flatten(), ("conv",)),
        Node("fc", Linear(), ("flat",), {"weight": "fw", "bias": "fb"}),
    )
    graph = Graph(Input("x", (1, 2, 6, 7)), nodes, "fc", weights, name="tiny")
    module = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear)
    return Subject(graph, program=compile(graph), module=module, shape=(3, 2, 6, 7))


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((3, 2, 6, 7)).astype(np.float32)
