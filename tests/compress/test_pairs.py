"""All ordered pairs of passes, on networks of every kind: the exported graph equals the module.

A pass does what it is for after every other one, and what comes of both survives a file.
"""

from copy import deepcopy
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gossamer
from gossamer.compress.chains import chains, rebuild, weighted_paths
from gossamer.compress.channels.remove import RemoveChannels
from gossamer.compress.cluster.hash import HashWeights
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.contract import Context, Pass
from gossamer.compress.factor.factor import Factor
from gossamer.compress.factor.interleave import Interleave
from gossamer.compress.layers import WEIGHTED
from gossamer.compress.measure import measure
from gossamer.compress.norms import reestimate_norms
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.quantise.layers import restore_layers
from gossamer.compress.quantise.quantise import QuantiseLayers
from gossamer.compress.widths import changed, numbers, resize
from gossamer.graph import Graph, Node
from gossamer.graph.export import export
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import ChannelPermute, Conv2d, Linear, Quantise
from gossamer.train.recipe import Recipe

ONCE = Recipe(epochs=0)
PASSES = {
    "element": Prune(0.3, training=ONCE),
    "channel": RemoveChannels(amount=0.3, min_density=0.3, multiple=4, training=ONCE),
    "factor": Factor(amount=0.3, images=64, training=ONCE),
    "interleave": Interleave(amount=0.2, images=64, training=ONCE),
    "cluster": ShareWeights(3, training=ONCE),
    "hash": HashWeights(training=ONCE),
    "int8": QuantiseLayers(inputs=True, input_calibration="minmax", images=64),
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


def apply(step: Pass, model: nn.Module, context: Context) -> nn.Module:
    """Return the model after a pass, which has to make it less."""
    assert context.data is not None
    before = measure(model, context.example_inputs)
    step.check(model, context)
    model = step.apply(model, context).eval()
    reestimate_norms(model, context.data.train)
    after = measure(model, context.example_inputs)
    if step.name in ("prune", "remove-channels", "factor", "interleave"):
        assert after.effective_macs < before.effective_macs
    elif step.name == "hash-weights":
        assert after.distinct_values <= 2 * 128
    elif step.name == "share-weights":
        assert after.distinct_values < before.distinct_values
    else:
        plain = [m for m in model.modules() if type(m) in WEIGHTED]
        assert not plain, "every layer rounds what it reads"
    return model


def check_pair(first: str, second: str, network: type[Small], data, example: Tensor) -> Graph:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parent = network().eval()
    model, context = deepcopy(parent), Context(example, data, progress=False)
    for name in (first, second):
        model = apply(PASSES[name], model, context)
    wanted, graph = model(example).detach().numpy(), export(model, example)  # which compares both
    check_equal(interpret(graph, example.numpy()), wanted, rounds="int8" in (first, second))
    assert not np.allclose(wanted, parent(example).detach(), atol=1e-3)
    np.testing.assert_array_equal(restored(parent, model)(example).detach(), wanted)
    if "int8" in (first, second):
        check_integers(graph, after=second if first == "int8" else None)
    return graph


def check_equal(found: np.ndarray, wanted: np.ndarray, *, rounds: bool) -> None:
    """What lies between two levels may become either, and then all that follows differs a bit."""
    apart, largest = np.abs(found - wanted), max(1, np.abs(wanted).max())
    assert apart.max() <= (0.02 if rounds else 1e-5) * largest
    assert np.median(apart) <= 1e-5 * largest


def check_integers(graph: Graph, after: str | None) -> None:
    """Layers read levels, and have integers unless a pass behind gave the weights other values."""
    makers = {node.name: node for node in graph.nodes}
    layers = [node for node in graph.nodes if isinstance(node.op, Conv2d | Linear)]
    kinds = [graph.weights[node.weights["weight"]].kind for node in layers]
    reads = [reads_levels(node, makers) for node in layers]
    if after in (None, "element", "channel"):
        assert set(kinds) == {"quantised"}
        assert all(reads)
    else:
        shares = after in ("cluster", "hash")
        assert all(reads) == shares  # of a chain only the first
        assert any(reads)
        assert not shares or "codebook" in kinds


def reads_levels(node: Node, makers: dict[str, Node]) -> bool:
    maker = makers.get(node.inputs[0])
    if maker is not None and isinstance(maker.op, ChannelPermute):
        return reads_levels(maker, makers)
    return maker is not None and isinstance(maker.op, Quantise)


def restored(parent: nn.Module, model: nn.Module) -> nn.Module:
    """Return the model as it comes back from what is stored of it."""
    fresh, state = deepcopy(parent), model.state_dict()
    widths = changed(numbers(parent), numbers(model))
    rebuild(fresh, state, chains(weighted_paths(parent), model), where="file")
    restore_layers(fresh, state, where="file")
    resize(fresh, state, widths, where="file").load_state_dict(state)
    return fresh.eval()


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_graph_equals_the_module(first, second, small_data, small_example):
    """Each pair on one network, in turn."""
    network = NETWORKS[PAIRS.index((first, second)) % len(NETWORKS)]
    check_pair(first, second, network, small_data, small_example)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_graph_equals_the_module_for_all(first, second, network, small_data, small_example):
    graph = check_pair(first, second, network, small_data, small_example)
    if "int8" in (first, second):
        images = small_data.test.batch(np.arange(20))[0].numpy()
        found = gossamer.compile(graph, threads=1)(images)
        check_equal(found, interpret(graph, images), rounds=True)
