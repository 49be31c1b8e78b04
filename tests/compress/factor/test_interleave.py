from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.factor.factor import Factor
from gossamer.compress.factor.interleave import Interleave
from gossamer.errors import PassError
from gossamer.graph.export import export
from gossamer.graph.interpret import interpret
from gossamer.nets.blocks.shuffle import ChannelShuffle
from gossamer.train.recipe import Recipe

ONCE = Recipe(epochs=0)
INTERLEAVE = Interleave(training=ONCE, images=100)


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=2), nn.ReLU(), nn.Conv2d(16, 12, 1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 2),
        ).eval()  # fmt: skip


@pytest.mark.parametrize("factors", [2, 3])
@pytest.mark.parametrize("partition", ["budget", "energy"])
def test_the_graph_equals_the_module(factors, partition, model, small_data, small_example):
    step = replace(INTERLEAVE, factors=factors, partition=partition, energy=0.5)
    result = compress(model, small_example, [step], data=small_data)
    made = result.model[2]
    assert [type(m) for m in made] == [nn.Conv2d, ChannelShuffle] * (factors - 1) + [nn.Conv2d]
    assert all(m.groups > 1 for m in made)
    assert made[0].stride == (2, 2)
    notes = result.ledger.entries[0].notes
    assert "2 groups already" in notes["5"]
    assert "for pictures" in notes["10"]
    assert "do not divide" in notes["0"]
    assert f"{factors} factors" in notes["2"]
    graph = export(result.model, small_example)
    found, wanted = interpret(graph, small_example.numpy()), result.model(small_example)
    np.testing.assert_allclose(found, wanted.detach(), atol=1e-5)


def test_the_partition_may_be_said(model, small_data, small_example):
    step = replace(INTERLEAVE, primary=4, secondary=2, include=("2",))
    chain = compress(model, small_example, [step], data=small_data).model[2]
    assert (chain[0].groups, chain[2].groups) == (4, 2)


def test_interleaved_layers_interleave_no_further_but_factor(model, small_data, small_example):
    again = Factor(method="separable", training=ONCE, images=100, amount=0.1, include=("2.*",))
    result = compress(model, small_example, [INTERLEAVE, again], data=small_data)
    assert isinstance(result.model[2][0], nn.Sequential)
    assert result.model[2][0][0].kernel_size == (3, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factors": 1}, "factors out of range"),
        ({"primary": -1}, "primary out of range"),
        ({"secondary": -1}, "secondary out of range"),
        ({"partition": "noise"}, "unknown rule for partitions"),
        ({"primary": 7}, "no layer can be factored.*8 to 16 channels do not divide so"),
        ({"include": ("5",)}, "no layer can be factored.*2 groups already"),
        ({"amount": 0.95}, "cannot lose so large a share"),
    ],
)
def test_the_impossible_is_refused_before_work(options, message, model, small_data, small_example):
    with pytest.raises(PassError, match=message):
        replace(INTERLEAVE, **options).check(model, Context(small_example, small_data))


def test_it_needs_data(model, small_example):
    with pytest.raises(PassError, match="measuring needs data"):
        compress(model, small_example, [replace(INTERLEAVE, reconstruct=False)])
