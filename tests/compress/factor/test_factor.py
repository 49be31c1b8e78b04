from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.chains import chains, weighted_paths
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.factor.factor import Factor
from gossamer.compress.factor.registry import METHODS
from gossamer.errors import PassError
from gossamer.graph.export import export
from gossamer.graph.interpret import interpret
from gossamer.train.recipe import Recipe

ONCE = Recipe(epochs=0)
FACTOR = Factor(training=ONCE, images=100)


@pytest.fixture
def model() -> nn.Module:
    """A dense, a grouped and a depthwise convolution, and a linear layer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=2), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=16),
            nn.Flatten(), nn.Linear(16 * 9, 2),
        ).eval()  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ranks", ["budget", "energy"])
def test_the_graph_equals_the_module(method, ranks, model, small_data, small_example):
    step = replace(FACTOR, method=method, ranks=ranks, amount=0.3, energy=0.8)
    result = compress(model, small_example, [step], data=small_data)
    made = chains(weighted_paths(model), result.model)
    assert made
    entry = result.ledger.entries[0]
    assert entry.got["layers_factored"] == len(made)
    saved = 1 - entry.after.effective_macs / entry.before.effective_macs
    assert 0 < saved < 1
    if ranks == "budget":
        assert entry.got["macs_saved"] >= 0.3
    assert set(entry.notes) == {"0", "2", "5", "7", "9"}
    graph = export(result.model, small_example)
    found, wanted = interpret(graph, small_example.numpy()), result.model(small_example)
    np.testing.assert_allclose(found, wanted.detach(), atol=1e-5)


def test_the_budget_is_that_of_the_layers_it_is_for(model, small_data, small_example):
    step = replace(FACTOR, method="svd", of="parameters", amount=0.6, exclude=("9",))
    result = compress(model, small_example, [step], data=small_data)
    before, after = (
        m.layers for m in (result.ledger.entries[0].before, result.ledger.entries[0].after)
    )
    weights = [
        sum(own.weights for own in side if not own.name.startswith("9")) for side in (before, after)
    ]
    assert weights[1] <= 0.4 * weights[0]
    assert isinstance(result.model[9], nn.Linear)


def test_zeros_count_as_saved_already(model, small_data, small_example):
    with torch.no_grad():
        model[2].weight[
            torch.rand(16, 8, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.9
        ] = 0
    told = {}
    context = Context(small_example, small_data, progress=False, tell=told.__setitem__)
    replace(FACTOR, ranks="energy", energy=0.9, include=("2", "5")).apply(model, context)
    assert isinstance(model[2], nn.Conv2d)
    assert told["2"].startswith("not factored")


def test_multiples_and_noise(model, small_data, small_example):
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        low = torch.randn(16, 3, generator=rng) @ torch.randn(3, 72, generator=rng)
        model[2].weight.copy_((low + 0.1 * torch.randn(16, 72, generator=rng)).view(16, 8, 3, 3))
    noise = replace(FACTOR, method="svd", ranks="noise", include=("2", "5"))
    context = Context(small_example, small_data, progress=False)
    made = noise.apply(deepcopy(model), context)
    assert made[2][0].out_channels == 3
    assert isinstance(made[5], nn.Conv2d)  # nothing but noise
    assert replace(noise, multiple=4).apply(deepcopy(model), context)[2][0].out_channels == 4


def test_ranks_by_measured_time(model, small_data, small_example):
    """A clock for which a chain costs as much as its narrowest layer is wide, and a layer 12."""
    seen = []

    def time_ms(module: nn.Module, x: torch.Tensor) -> float:
        seen.append(module(x).shape)
        convs = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
        return min(12.0, *(float(m.out_channels) for m in convs))

    step = replace(FACTOR, of="time", amount=0.5, include=("2",))
    result = compress(model, small_example, [step], data=small_data, time_ms=time_ms)
    assert result.model[2][0].out_channels <= 6
    assert 2 < len(seen) <= 10
    assert result.ledger.entries[0].got["time_saved"] >= 0.5


def test_training_helps_and_holds_zeros(model, small_data, small_example):
    with torch.no_grad():
        model[0].weight[:, :, 0] = 0
    step = replace(
        FACTOR, include=("2",), amount=0.7, training=Recipe(epochs=1, learning_rate=0.01)
    )
    made = compress(model, small_example, [step], data=small_data).model
    assert (made[0].weight[:, :, 0] == 0).all()
    assert (made[0].weight[:, :, 1] != model[0].weight[:, :, 1]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lu"}, "unknown decomposition"),
        ({"ranks": "wish"}, "unknown rule for ranks"),
        ({"of": "money"}, "unknown measure"),
        ({"amount": 1.0}, "amount out of range"),
        ({"energy": 0.0}, "energy out of range"),
        ({"multiple": 0}, "multiple out of range"),
        ({"images": 0}, "images out of range"),
        ({"of": "time"}, "needs a function"),
        (
            {"amount": 0.99},
            r"cannot lose so large a share of their macs \(got 0.99, expected at most",
        ),
        ({"method": "cp", "include": ("9",)}, "no layer can be factored"),
        ({"include": ("nothing",)}, "no layer matches"),
    ],
)
def test_the_impossible_is_refused_before_work(options, message, model, small_data, small_example):
    with pytest.raises(PassError, match=message):
        replace(FACTOR, **options).check(model, Context(small_example, small_data))


def test_without_data_there_is_plain_svd(model, small_example):
    with pytest.raises(PassError, match="measuring needs data"):
        compress(model, small_example, [FACTOR])
    with pytest.raises(PassError, match="set reconstruct to false"):
        compress(model, small_example, [replace(FACTOR, method="svd")])
    step = replace(FACTOR, method="svd", reconstruct=False)
    assert compress(model, small_example, [step]).ledger.entries[0].got["layers_factored"] > 0
