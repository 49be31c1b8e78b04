"""Integers combined with each other kind of pass, in both orders, on networks of each structure."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import gossamer
from gossamer.compress.channels.remove import RemoveChannels
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.compress import compress
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.quantise.layers import RoundedConv2d
from gossamer.compress.quantise.quantise import QuantiseLayers
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import Conv2d, Quantise
from gossamer.train.recipe import Recipe

NOTHING = Recipe(epochs=0)
SHORT = Recipe(epochs=1, batch_size=20, learning_rate=0.02)
INT8 = QuantiseLayers(inputs=True, input_calibration="minmax", images=40)
OTHERS = {
    "element": Prune(0.5),
    "channel": RemoveChannels(of="channels", amount=0.3, training=NOTHING),
    "cluster": ShareWeights(2, training=NOTHING),
}


def unit(c, k, groups=1):
    return nn.Sequential(
        nn.Conv2d(c, k, 3, padding=1, groups=groups, bias=False), nn.BatchNorm2d(k), nn.ReLU()
    )


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = unit(1, 8), unit(8, 8), unit(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.b(self.a(x)))
        return self.head(x.mean((2, 3)))


class Concatenated(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = unit(1, 8), unit(8, 4), unit(12, 4)
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([x, self.a(x)], 1)
        x = torch.cat([x, self.b(x)], 1)
        return self.head(x.mean((2, 3)))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = unit(1, 8), unit(8, 8, groups=2), unit(8, 12, groups=4)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.b(self.a(self.stem(x))).mean((2, 3)))


class Depthwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.depth = unit(1, 8), unit(8, 8, groups=8)
        self.point = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.point(self.depth(self.stem(x)))).mean((2, 3)))


@pytest.fixture(scope="module", params=[Residual, Concatenated, Grouped, Depthwise])
def network(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return request.param().eval()


def kinds(graph):
    return [
        graph.weights[node.weights["weight"]].kind
        for node in graph.nodes
        if isinstance(node.op, Conv2d)
    ]


@pytest.mark.parametrize("other", list(OTHERS))
@pytest.mark.parametrize("int8_first", [False, True])
def test_pairs(network, small_data, small_example, other, int8_first):
    passes = [INT8, OTHERS[other]] if int8_first else [OTHERS[other], INT8]
    # `compress` compares graph and module before and after.
    result = compress(network, small_example, passes, data=small_data, progress=False)
    graph = gossamer.export(result.model, small_example)
    assert any(isinstance(module, RoundedConv2d) for module in result.model.modules())
    assert any(isinstance(node.op, Quantise) for node in graph.nodes)
    if other == "cluster" and int8_first:  # its own values, few in each layer
        assert "codebook" in kinds(graph)
        assert "quantised" not in kinds(graph)
    elif other == "element":  # a channel may have too few weights left to tell
        assert "quantised" in kinds(graph)
    else:
        assert set(kinds(graph)) == {"quantised"}
    last = result.ledger.entries[-1].after
    if other == "element":
        assert last.sparsity >= 0.49
    if other == "channel":
        assert last.parameters < 0.85 * result.ledger.entries[0].before.parameters
    check(result.model, graph, small_data)
    if other == "element" and not int8_first:
        check_program(graph, small_data)


def check(model, graph, data):
    """Module and graph and program give the same, but for values between two levels."""
    images = data.test.batch(np.arange(20))[0]
    with torch.no_grad():
        expected = model(images).numpy()
    found = interpret(graph, images.numpy())
    allowed = 0.02 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
    assert np.median(np.abs(found - expected)) <= 1e-5 * np.abs(expected).max()


def check_program(graph, data):
    images = data.test.batch(np.arange(20))[0].numpy()
    found, program = interpret(graph, images), gossamer.compile(graph, threads=1)
    np.testing.assert_allclose(program(images), found, rtol=0, atol=0.02 * np.abs(found).max())


@pytest.mark.slow
@pytest.mark.parametrize("other", ["channel", "cluster"])
def test_programs_of_pairs(network, small_data, small_example, other):
    result = compress(
        network, small_example, [OTHERS[other], INT8], data=small_data, progress=False
    )
    check_program(gossamer.export(result.model, small_example), small_data)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["element", "channel"])
def test_training_in_the_second_pass_keeps_the_first(network, small_data, small_example, other):
    second = replace(OTHERS[other], training=SHORT)
    result = compress(network, small_example, [INT8, second], data=small_data, progress=False)
    graph = gossamer.export(result.model, small_example)
    assert "quantised" in kinds(graph)
    check(result.model, graph, small_data)


def test_deep_compression_then_integers(small_parent, small_data, small_example):
    passes = [Prune(0.5), ShareWeights(3, training=SHORT), QuantiseLayers(8, inputs=True)]
    result = compress(small_parent, small_example, passes, data=small_data, progress=False)
    for before, after in zip(
        result.ledger.entries[1].after.layers, result.ledger.entries[2].after.layers, strict=True
    ):
        assert after.nonzeros <= before.nonzeros
    pruned = deepcopy(small_parent)
    assert type(result.model) is type(pruned)
