"""All ordered pairs of passes, on networks of every kind: the exported graph equals the module."""

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.compress.channels.remove import RemoveChannels
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.compress import compress
from gossamer.compress.factor.factor import Factor
from gossamer.compress.factor.interleave import Interleave
from gossamer.compress.prune.one_shot import Prune
from gossamer.graph.export import export
from gossamer.graph.interpret import interpret
from gossamer.train.recipe import Recipe

ONCE = Recipe(epochs=0)
PASSES = {
    "element": Prune(0.3, training=ONCE),
    "channel": RemoveChannels(amount=0.3, min_density=0.3, training=ONCE),
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


@pytest.fixture(params=[Residual, Concat, Grouped, Depthwise], scope="module")
def parent(request) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return request.param().eval()


@pytest.mark.parametrize(("first", "second"), list(permutations(PASSES, 2)))
def test_both_passes_work_and_the_graph_equals_the_module(
    first, second, parent, small_data, small_example
):
    passes = [PASSES[first], PASSES[second]]
    result = compress(parent, small_example, passes, data=small_data, progress=False)
    for entry in result.ledger.entries:
        if entry.name in ("share-weights", "prune"):
            continue
        assert entry.after.effective_macs < entry.before.effective_macs, entry
    graph = export(result.model, small_example)
    found = interpret(graph, small_example.numpy())
    wanted = result.model(small_example).detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1, np.abs(wanted).max()))
    assert not np.allclose(wanted, parent(small_example).detach(), atol=1e-3)
