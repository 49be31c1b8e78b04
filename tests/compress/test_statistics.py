"""Means and deviations of the parent come back."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.norms import reestimate_norms
from gossamer.compress.recover import recover
from gossamer.compress.statistics import match_statistics, moments


@pytest.fixture
def plain() -> nn.Module:
    """Without norms."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3, bias=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(24, 2),
    ).eval()  # fmt: skip


def disturbed(model: nn.Module) -> nn.Module:
    other = deepcopy(model)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(torch.rand(parameter.shape) > 0.4)
    return other


def test_moments_are_those_of_torch(plain, small_data):
    found = moments(plain, ["0", "5"], small_data.train, [np.arange(30), np.arange(30, 50)])
    out = plain[0](small_data.train.batch(np.arange(50))[0]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found["0"].mean, out.mean(1).double(), rtol=1e-4, atol=1e-6)
    expected = out.std(1, correction=0).double()
    torch.testing.assert_close(found["0"].deviation, expected, rtol=1e-4, atol=1e-6)
    assert list(found) == ["0", "5"]


def test_both_come_back_and_zeros_stay(plain, small_data):
    model = disturbed(plain)
    before = deepcopy(model)
    order = np.random.default_rng(0).permutation(100)[:60]
    matched = match_statistics(model, plain, small_data.train, images=60)
    assert matched == ["0", "2", "5"]
    wanted, found = (
        moments(m, matched, small_data.train, [order]) for m in (plain, model)
    )  # fmt: skip
    for name in matched:
        torch.testing.assert_close(
            found[name].deviation, wanted[name].deviation, rtol=1e-3, atol=1e-5
        )
        if name != "2":  # which has no bias
            torch.testing.assert_close(found[name].mean, wanted[name].mean, rtol=1e-3, atol=1e-4)
        weights = [m.get_submodule(name).weight for m in (before, model)]
        assert torch.equal(weights[0] == 0, weights[1] == 0)


def test_means_alone_change_no_weight(plain, small_data):
    model = disturbed(plain)
    before = deepcopy(model)
    assert match_statistics(model, plain, small_data.train, scale=False) == ["0", "5"]
    for name in ("0", "2", "5"):
        assert torch.equal(model.get_submodule(name).weight, before.get_submodule(name).weight)
    found, wanted = (
        moments(m, ["5"], small_data.train, [np.arange(100)])["5"].mean for m in (model, plain)
    )
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_layers_of_other_shapes_and_dead_channels_are_left_alone(plain, small_data):
    model = deepcopy(plain)
    model[2] = nn.Conv2d(6, 4, 3)
    model[5] = nn.Linear(16, 2)
    with torch.no_grad():
        model[0].weight[0] = 0
    assert match_statistics(model, plain, small_data.train) == ["0"]
    assert (model[0].weight[0] == 0).all()
    assert torch.isfinite(model[0].bias).all()


def test_after_every_pass_norms_or_means(plain, small_parent, small_data):
    model = disturbed(plain)
    before = deepcopy(model.state_dict())
    recover(model, small_data.train)  # trained since: nothing to match
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    recover(model, small_data.train, plain)
    assert not torch.equal(model[5].bias, before["5.bias"])
    normed = disturbed(small_parent)
    biases = normed[3].bias.clone()
    recover(normed, small_data.train, small_parent)
    assert torch.equal(normed[3].bias, biases)
    assert not torch.equal(normed[1].running_mean, small_parent[1].running_mean)


def test_means_help_a_pruned_network_without_norms(small_data):
    """What compress does by default: its outputs are nearer to the parent's than without."""
    from gossamer.compress.compress import compress
    from gossamer.compress.prune.one_shot import Prune
    from gossamer.train.fit import fit
    from gossamer.train.recipe import Recipe

    torch.manual_seed(0)
    parent = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 12, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(48, 2),
    )  # fmt: skip
    fit(parent, small_data, Recipe(epochs=3, batch_size=20, learning_rate=0.05), progress=False)
    x = small_data.test.batch(np.arange(60))[0]
    pruned = compress(parent, x[:2], [Prune(0.7)])
    repaired = compress(parent, x[:2], [Prune(0.7)], data=small_data)
    with torch.no_grad():
        errors = [float((r.model(x) - parent(x)).square().mean()) for r in (pruned, repaired)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("scale", [False, True])
def test_batch_norms_behind_layers_do_not_mislead_those_after_them(small_data, scale):
    """They are estimated anew in the end, which undoes what was done to layers before them."""
    torch.manual_seed(0)
    parent = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Flatten(), nn.Linear(24, 2),
    ).eval()  # fmt: skip
    reestimate_norms(parent, small_data.train)
    model = disturbed(parent)
    match_statistics(model, parent, small_data.train, scale=scale)
    reestimate_norms(model, small_data.train)
    found, wanted = (
        moments(m, ["6"], small_data.train, [np.arange(100)])["6"] for m in (model, parent)
    )
    torch.testing.assert_close(found.mean, wanted.mean, rtol=1e-3, atol=1e-3)
