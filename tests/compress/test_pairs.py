"""All ordered pairs of passes, on networks of every kind: the exported graph equals the module."""

from copy import deepcopy
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.compress.channels.remove import RemoveChannels
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.contract import Context
from gossamer.compress.factor.factor import Factor
from gossamer.compress.factor.interleave import Interleave
from gossamer.compress.measure import measure
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.recover import reestimate_norms
from gossamer.graph.export import export
from gossamer.graph.interpret import interpret
from gossamer.train.recipe import Recipe

ONCE = Recipe(epochs=0)
PASSES = {
    "element": Prune(0.3, training=ONCE),
    "channel": RemoveChannels(amount=0.3, min_density=0.3, multiple=4, training=ONCE),
    "factor": Factor(amount=0.3, images=64, training=ONCE),
    "interleave": Interleave(amount=0.2, images=64, training=ONCE),
    "cluster": ShareWeights(3, training=ONCE),
}


def conv(before: int, after: int, **options) -> nn.Sequential:
    layer = nn.Conv2d(before, after, 3, padding=1, bias=False, **options)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())


class Small(nn.Module):
    """A stem, a body of 16 channels with a dense layer in it, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.dense = conv(1, 16), conv(16, 16)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.dense(self.stem(x))).mean((2, 3)))

    def body(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Residual(Small):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(16, 16), nn.Conv2d(16, 16, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        return F.relu(x + self.b(self.a(x)))


class Concat(Small):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(16, 8), conv(16, 8), conv(32, 16)

    def body(self, x: Tensor) -> Tensor:
        return self.c(torch.cat([self.a(x), x, self.b(x)], 1))


class Grouped(Small):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(16, 16, groups=4, stride=2), nn.Conv2d(16, 16, 1, groups=2)

    def body(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


class Depthwise(Small):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(16, 16, groups=16), nn.Conv2d(16, 16, 1)

    def body(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


NETWORKS = [Residual, Concat, Grouped, Depthwise]
PAIRS = list(permutations(PASSES, 2))


def check_pair(first: str, second: str, network: type[Small], data, example: Tensor) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parent = network().eval()
    model, context = deepcopy(parent), Context(example, data, progress=False)
    for step in (PASSES[first], PASSES[second]):
        before = measure(model, example)
        step.check(model, context)
        model = step.apply(model, context).eval()
        reestimate_norms(model, data.train)
        after = measure(model, example)
        less = before.distinct_values if step.name == "share-weights" else before.effective_macs
        now = after.distinct_values if step.name == "share-weights" else after.effective_macs
        assert now < less, step.name
    wanted = model(example).detach().numpy()
    found = interpret(export(model, example), example.numpy())
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1, np.abs(wanted).max()))
    assert not np.allclose(wanted, parent(example).detach(), atol=1e-3)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_graph_equals_the_module(first, second, small_data, small_example):
    """Each pair on one network, in turn."""
    network = NETWORKS[PAIRS.index((first, second)) % len(NETWORKS)]
    check_pair(first, second, network, small_data, small_example)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_graph_equals_the_module_for_all(first, second, network, small_data, small_example):
    check_pair(first, second, network, small_data, small_example)
