import numpy as np
import pytest
import torch

from gossamer.compress.prune.curvature.quadratic import quadratic_of
from gossamer.compress.quantise.grid import channel_scales, to_grid
from gossamer.compress.quantise.learned_rounding import learn_rounding


def layer(seed, rows=6, columns=8, groups=1):
    """A weight (K, F) and the quadratic of its outputs for correlated inputs."""
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy(rng.standard_normal((groups * rows, columns)).astype(np.float32))
    mixing = rng.standard_normal((groups, columns, 2)) @ rng.standard_normal((groups, 2, columns))
    inputs = mixing @ rng.standard_normal((groups, columns, 200))
    inputs += 0.3 * rng.standard_normal(inputs.shape)
    moment = torch.from_numpy(inputs @ inputs.transpose(0, 2, 1) / 200)
    return weight, quadratic_of(weight, moment, damping=1e-3, rows=rows, shape=weight.shape)


@pytest.mark.parametrize("groups", [1, 3])
def test_outputs_suffer_less_than_from_nearest_rounding(groups):
    gains = []
    for seed in range(3):
        weight, quadratic = layer(seed, groups=groups)
        scales = channel_scales(weight, 7, "minmax")
        nearest = to_grid(weight, scales, 7)
        learned = learn_rounding(quadratic, scales, 7, steps=100)
        for group in range(len(weight)):  # row by row: never worse
            mixed = torch.where((torch.arange(len(weight)) == group)[:, None], learned, nearest)
            assert quadratic.loss(mixed) <= quadratic.loss(nearest) * (1 + 1e-5)
        gains.append(quadratic.loss(learned) / quadratic.loss(nearest))
    assert np.mean(gains) < 0.3


def test_each_weight_goes_up_or_down():
    weight, quadratic = layer(5)
    scales = channel_scales(weight, 7, "mse")
    learned = learn_rounding(quadratic, scales, 7, steps=100)
    steps = learned / scales[:, None]
    assert torch.equal(steps, steps.round())
    assert steps.abs().max() <= 7
    inside = weight.abs() <= 7 * scales[:, None]
    assert ((learned - weight).abs()[inside] < scales[:, None].expand_as(weight)[inside]).all()


def test_between_the_best_of_all_ways_and_the_nearest():
    """Brute force over all 2⁸ ways to round one row (the paper's problem 13)."""
    flips = torch.eye(8)
    for seed in range(4):
        weight, quadratic = layer(seed + 10, rows=1)
        scales = channel_scales(weight, 3, "minmax")
        down = (weight / scales[:, None]).floor().clamp(-3, 3)
        up = (down + 1).clamp(-3, 3)

        def loss(choice, down=down, up=up, scales=scales, quadratic=quadratic):
            return quadratic.loss((down + choice * (up - down)) * scales[:, None])

        ways = [torch.tensor([[float(way >> i & 1) for i in range(8)]]) for way in range(256)]
        best = min(loss(way) for way in ways)
        learned = learn_rounding(quadratic, scales, 3, steps=50)
        found = quadratic.loss(learned)
        assert best * (1 - 1e-5) <= found
        assert found <= quadratic.loss(to_grid(weight, scales, 3)) * (1 + 1e-5)
        chosen = (learned / scales[:, None] > down + 0.5).float()
        for flip in flips:  # no single other choice is better
            assert loss((chosen - flip).abs()) >= found * (1 - 1e-4)


def test_zeros_stay_zeros():
    weight, _ = layer(7)
    weight[weight.abs() < 0.7] = 0
    _, quadratic = layer(7)
    masked = quadratic_of(weight, quadratic.curvature, damping=0, rows=6, shape=weight.shape)
    learned = learn_rounding(masked, channel_scales(weight, 7, "mse"), 7, steps=50)
    assert ((learned == 0) >= (weight == 0)).all()


def test_independent_inputs_want_the_nearest():
    weight, quadratic = layer(8)
    identity = torch.eye(8, dtype=torch.float64)[None]
    alone = quadratic_of(weight, identity, damping=0, rows=6, shape=quadratic.shape)
    scales = channel_scales(weight, 7, "minmax")
    learned = learn_rounding(alone, scales, 7, steps=100)
    assert torch.equal(learned, to_grid(weight, scales, 7))
