"""What every decomposition owes, on layers of every shape."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from gossamer.compress.factor.registry import METHODS
from gossamer.compress.factor.stage import build_chain
from gossamer.compress.prune.curvature.inputs import seen_inputs
from tests.compress.factor.layers import LAYERS, dense_kernel, example_of, kernel, target_of

CASES = [(name, shape) for name in METHODS for shape in LAYERS]


def method_of(name: str, layer):
    x = seen_inputs(layer, example_of(layer))
    return METHODS[name](target_of(layer, x @ x.mT / x.shape[2]))


@pytest.mark.parametrize(("name", "shape"), [case for case in CASES if case[0] != "cp"])
def test_full_ranks_give_the_layer(name, shape):
    layer = LAYERS[shape]
    method = method_of(name, layer)
    if method.reason() is not None:
        assert 1 in method.target.taps
        return
    first = method.candidates(1)[0]
    stages = method.stages(first.choice)
    chain = build_chain(stages, method.weights(first.choice), layer.bias)
    x = example_of(layer)
    torch.testing.assert_close(chain(x), layer(x), rtol=0, atol=1e-9)
    assert first.loss == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_low_ranks_keep_the_window_and_lose_what_they_say(name, shape):
    layer = LAYERS[shape]
    method = method_of(name, layer)
    if method.reason() is not None:
        return
    x = example_of(layer)
    for candidate in method.candidates(1)[::4]:
        stages, weights = method.stages(candidate.choice), method.weights(candidate.choice)
        assert [w.numel() for w in weights] == [s.weights for s in stages]
        made = build_chain(stages, weights, layer.bias)(x).detach()
        assert made.shape == layer(x).shape
        error = kernel(stages, weights).reshape(dense_kernel(layer).shape) - dense_kernel(layer)
        if name == "weighted-svd":
            bias = 0 if layer.bias is None else layer.bias.view(-1, *[1] * (made.ndim - 2))
            energy = (layer(x) - bias).square().sum()
            lost = float((made - layer(x)).square().sum() / energy)
        else:
            lost = float(error.square().sum() / layer.weight.square().sum())
        if name in ("svd", "weighted-svd", "separable"):
            assert lost == pytest.approx(candidate.loss, rel=1e-6, abs=1e-10)
        elif name == "tucker":
            assert lost <= candidate.loss + 1e-9
        else:
            assert lost >= candidate.loss - 1e-9


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_candidates_fall_in_ranks_and_rise_in_loss(name, shape):
    method = method_of(name, LAYERS[shape])
    if method.reason() is not None:
        return
    for multiple in (1, 3):
        found = method.candidates(multiple)
        assert all(a.loss <= b.loss + 1e-12 for a, b in pairwise(found))
        assert all(
            rank % multiple == 0 or rank == full
            for one in found
            for rank, full in zip(one.choice, found[0].choice, strict=True)
        )
        assert found[-1].choice == method.least(multiple)
        assert found[0].choice == method.full
        assert found[0].loss == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_dead_channels_stay_dead(name):
    layer = nn.Conv2d(6, 8, 3, padding=1)
    with torch.no_grad():
        layer.weight[:, 2] = 0
        layer.weight[5] = 0
    method = method_of(name, layer.double().requires_grad_(False))
    stages, target = method.stages(method.least(1)), method.target
    weights = target.keep_dead(stages, method.weights(method.least(1)))
    assert (weights[0].reshape(stages[0].weight_shape)[:, 2] == 0).all()
    assert (weights[-1][5] == 0).all()
    assert (weights[-1][4] != 0).any()
