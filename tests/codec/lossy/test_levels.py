from dataclasses import replace

import numpy as np
import pytest

from gossamer.codec.lossy.levels import LARGEST, choose_levels, rounded_bias
from gossamer.codec.lossy.options import LossyOptions
from gossamer.codec.lossy.problem import LayerProblem
from gossamer.codec.parity import is_told

OPTIONS = LossyOptions()
SHAPE = (32, 8, 3, 3)


@pytest.fixture
def problem(rng):
    x = rng.standard_normal((400, 72)) @ rng.standard_normal((72, 72)) / 8
    covariance = (x.T @ x / 400)[None]
    target = rng.laplace(0, 0.1, (1, 32, 72))
    seen, wanted = rng.standard_normal((1, 72)), rng.standard_normal((1, 32))
    return LayerProblem(target, covariance, np.zeros(target.shape, bool), seen, wanted)


def test_dearer_bits_mean_coarser_steps_and_more_error(problem):
    found = [choose_levels(problem, SHAPE, cost, OPTIONS) for cost in (1e-6, 1e-4, 1e-2)]
    steps = [levels.step for levels in found]
    errors = [problem.errors(levels.filters).sum() for levels in found]
    assert steps[0] < steps[1] < steps[2]
    assert errors[0] < errors[1] < errors[2]


def test_no_step_of_the_same_levels_costs_less_a_half_octave_away(problem):
    import gossamer.codec.lossy.levels as module

    best = choose_levels(problem, SHAPE, 1e-4, OPTIONS)
    upper = module.passing_on(problem)
    for factor in (2**-0.5, 2**0.5):
        step = module._few_bits(best.step * factor)
        assert module._levels_at(problem, upper, SHAPE, step, 1e-4, OPTIONS).cost >= best.cost


def test_steps_have_short_mantissas(problem):
    step = np.float32(choose_levels(problem, SHAPE, 1e-4, OPTIONS).step)
    assert step.view(np.uint32) % 2**16 == 0


def test_free_bits_are_bounded(problem):
    levels = choose_levels(problem, SHAPE, 1e-30, OPTIONS)
    assert np.abs(levels.integers).max() <= LARGEST


def test_a_layer_worth_nothing_becomes_its_bias(problem):
    levels = choose_levels(problem, SHAPE, 1e6, OPTIONS)
    assert not levels.integers.any()
    unit = np.sqrt(12 * 0.02 * problem.errors(levels.filters).mean())
    assert np.abs(rounded_bias(problem, levels) - problem.wanted[0]).max() <= unit / 2


def test_biases_are_rounded_far_below_the_error(problem):
    levels = choose_levels(problem, SHAPE, 1e-4, OPTIONS)
    bias = rounded_bias(problem, levels)
    wrong = bias - problem.bias(levels.filters).ravel()
    assert 0 < (wrong**2).mean() < 0.05 * problem.errors(levels.filters).mean()
    assert len(np.unique(bias * 2**12 % 1)) == 1


def test_weights_without_error_keep_the_biases_bits(problem):
    exact = replace(problem, target=np.zeros(problem.target.shape))
    levels = choose_levels(exact, SHAPE, 1e-4, OPTIONS)
    assert np.array_equal(rounded_bias(exact, levels), problem.wanted[0].astype(np.float32))


@pytest.mark.parametrize("cost", [1e-6, 1e-5, 1e-4])
def test_told_lowest_bits_make_both_error_and_bits_cost_less(problem, cost):
    plain = choose_levels(problem, SHAPE, cost, replace(OPTIONS, trellis=False))
    told = choose_levels(problem, SHAPE, cost, OPTIONS)
    assert is_told(told.integers[0])
    assert not is_told(plain.integers[0])
    assert told.cost < 0.98 * plain.cost


def test_weights_fixed_at_zero_have_plain_levels(problem, rng):
    fixed = replace(problem, fixed=rng.random(problem.target.shape) < 0.3)
    levels = choose_levels(fixed, SHAPE, 1e-5, OPTIONS)
    assert not levels.integers[fixed.fixed].any()
    plain = choose_levels(fixed, SHAPE, 1e-5, replace(OPTIONS, trellis=False))
    assert np.array_equal(levels.integers, plain.integers)
