"""Thresholds from data: they give the sparsity that was asked, or stay within the loss allowed."""

from copy import deepcopy

import pytest
import torch

from gossamer.compress.chains import replace_module
from gossamer.compress.neurons.activations import function_of, match_activations
from gossamer.compress.neurons.calibrate import for_sparsity, running_order, within_loss
from gossamer.compress.prune.criterion import Evidence
from gossamer.nets.blocks.threshold import Truncated


def truncated(parent, channels=None, *, shifted=False):
    model = deepcopy(parent)
    found = match_activations(model, (".*",), (), where="test")
    made = {
        name: Truncated(function_of(m), torch.zeros(channels) if channels else 0.0, shifted=shifted)
        for name, m in found.items()
    }
    for name, module in made.items():
        replace_module(model, found[name], module.eval())
    return model, made


def outputs(model, made, evidence):
    seen = {name: [] for name in made}
    for name, module in made.items():
        module.register_forward_hook(lambda m, args, out, name=name: seen[name].append(out))
    with torch.no_grad():
        for images, _ in evidence.batches():
            model(images)
    return {name: torch.cat(parts) for name, parts in seen.items()}


@pytest.mark.parametrize("channels", [None, 8])
def test_each_activation_gets_the_sparsity_that_was_asked(small_parent, small_data, channels):
    model, made = truncated(small_parent, channels)
    evidence = Evidence(model, small_data.train, 60)
    for_sparsity(made, evidence, 0.8)
    for out in outputs(model, made, evidence).values():
        parts = out.transpose(0, 1).flatten(1) if channels else out.flatten()[None]
        zeros = (parts == 0).float().mean(1)
        assert (zeros >= 0.8).all()
        if not channels:
            assert zeros <= 0.81
    assert all(not module.training for module in model.modules())


def test_sigmoids_are_cut_too(sigmoids, small_data):
    model, made = truncated(sigmoids)
    evidence = Evidence(model, small_data.train, 60)
    for_sparsity(made, evidence, 0.5)
    found = outputs(model, made, evidence)
    assert 0.5 <= float((found["1"] == 0).float().mean()) <= 0.51
    assert float((found["3"] == 0).float().mean()) >= 0.5


@pytest.mark.parametrize("allowed", [0.0, 0.05, 1.0])
def test_the_loss_stays_within_what_is_allowed(small_parent, small_data, allowed):
    model, made = truncated(small_parent)
    evidence = Evidence(model, small_data.train, 60)

    def loss():
        with torch.no_grad():
            return sum(float(one) * size for one, size in evidence.losses()) / evidence.count

    before = loss()
    within_loss(made, evidence, allowed)
    assert loss() <= before + allowed + 1e-6
    limits = [float(m.threshold) for m in made.values()]
    assert min(limits) >= 0
    if allowed == 1.0:
        assert max(limits) > 0


def test_nothing_is_cut_off_where_nothing_may_be(sigmoids, small_data):
    model, made = truncated(sigmoids)
    evidence = Evidence(model, small_data.train, 20)
    for_sparsity(made, evidence, 0.0)
    x = next(evidence.batches())[0]
    assert torch.equal(model(x), sigmoids(x))


@pytest.mark.parametrize("find", [for_sparsity, within_loss])
def test_what_is_shifted_is_never_shifted_up(sigmoids, small_data, find):
    """Of a tanh, the least threshold that cuts nothing would add to all that is left."""
    model, made = truncated(sigmoids, shifted=True)
    evidence = Evidence(model, small_data.train, 20)
    find(made, evidence, 0.0)
    assert all(float(module.threshold) >= 0 for module in made.values())
    assert (model(next(evidence.batches())[0]).abs() < 100).all()


def test_the_order_is_that_of_running(small_parent, small_data):
    model, made = truncated(small_parent)
    backwards = dict(reversed(made.items()))
    assert running_order(backwards, Evidence(model, small_data.train)) == ["2", "4"]
