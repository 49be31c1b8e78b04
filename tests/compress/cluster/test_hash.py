from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossamer.compress.cluster.hash import HashWeights, fill_buckets, hashed_codes
from gossamer.compress.contract import Context
from gossamer.compress.prune.one_shot import Prune
from gossamer.errors import PassError
from gossamer.graph.export import export
from gossamer.graph.layouts import Codebook
from gossamer.nets.blocks.hashed import HashedLinear
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=2, batch_size=10, optimiser="adamw", learning_rate=5e-3, weight_decay=0.0)
NOTHING = Recipe(epochs=0)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if p.ndim > 1}


def test_the_hash_is_that_of_the_hashed_layer():
    layer = HashedLinear(11, 6, buckets=5, seed=3)
    codes = hashed_codes(torch.ones(6, 12), 5, seed=3).view(6, 12)
    assert torch.equal(codes.abs() - 1, layer.index)
    assert torch.equal(codes.sign().float(), layer.sign)


def test_buckets_are_about_equally_full_and_half_are_negative():
    codes = hashed_codes(torch.ones(100, 100), 10, seed=0)
    counts = codes.abs().bincount(minlength=11)[1:].double()
    assert (counts - 1000).abs().max() < 5 * 30  # five deviations of a binomial
    assert ((codes < 0).double().mean() - 0.5).abs() < 0.025


def test_the_mean_is_nearest(small_parent):
    """Any other value of a bucket is farther from the weights that were there."""
    weight = small_parent[3].weight.detach().clone()
    codes = hashed_codes(weight, 7, seed=1)
    shared = weight.clone()
    fill_buckets(shared, codes)
    members, signs = codes.abs(), codes.sign()
    for bucket in range(1, 8):
        mine = members == bucket
        values = shared.flatten()[mine] * signs[mine]
        assert values.unique().numel() == 1
        torch.testing.assert_close(values[0], (weight.flatten()[mine] * signs[mine]).mean())


@pytest.mark.parametrize("training", [NOTHING, SHORT])
def test_values_signs_and_zeros_are_kept(small_parent, small_data, small_example, training):
    context = Context(small_example, small_data, progress=False)
    model = Prune(0.5).apply(deepcopy(small_parent), context)
    dead = {name: w == 0 for name, w in weights(model).items()}
    step = HashWeights(training=training)
    step.apply(model, context)
    for name, weight in weights(model).items():
        alive = weight[weight != 0]
        assert torch.equal(weight == 0, dead[name])
        assert alive.abs().unique().numel() <= max(1, round(0.125 * alive.numel()))
    got = step.got(model)
    assert got["buckets"] * got["nonzeros_per_bucket"] == pytest.approx(
        sum(int((~mask).sum()) for mask in dead.values())
    )
    assert 7 < got["nonzeros_per_bucket"] < 10


def test_training_helps(small_parent, small_data, small_example):
    context = Context(small_example, small_data, progress=False)
    images, labels = small_data.test.batch(np.arange(60))
    losses = []
    for training in (NOTHING, SHORT):
        model = HashWeights(most=4, training=training).apply(deepcopy(small_parent), context)
        losses.append(cross_entropy(model.eval()(images), labels).item())
    assert losses[1] < losses[0]


def test_exports_as_a_codebook(small_parent, small_data, small_example):
    context = Context(small_example, small_data, progress=False)
    model = HashWeights(most=8, training=NOTHING).apply(deepcopy(small_parent), context)
    graph = export(model, small_example)  # which compares both
    kinds = {name: type(graph.weights[name]) for name in graph.weights if "3" in name}
    assert Codebook in kinds.values()


def test_layers_of_one_shape_have_hashes_of_their_own_and_the_seed_decides(small_example):
    model = nn.Sequential(nn.Linear(20, 20, bias=False), nn.Linear(20, 20, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight)
    found = [
        weights(
            HashWeights(training=NOTHING).apply(deepcopy(model), Context(small_example, seed=s))
        )
        for s in (0, 0, 1)
    ]
    assert not torch.equal(found[0]["0.weight"], found[0]["1.weight"])
    assert torch.equal(found[0]["0.weight"], found[1]["0.weight"])
    assert not torch.equal(found[0]["0.weight"], found[2]["0.weight"])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"fraction": 0.0}, "fraction out of range"),
        ({"fraction": 1.5}, "fraction out of range"),
        ({"most": -1}, "number of buckets out of range"),
        ({"include": ("nothing",)}, "no layer matches"),
    ],
)
def test_refuses(small_parent, small_data, small_example, options, problem):
    with pytest.raises(PassError, match=f"hash-weights: {problem}"):
        HashWeights(**options).check(small_parent, Context(small_example, small_data))
