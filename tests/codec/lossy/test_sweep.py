from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.lossy.price import Prices, prices_of
from gossamer.codec.lossy.sweep import passing_on, sweep
from tests.codec.lossy.problems import correlated, flat_prices, problem_of


def test_independent_inputs_and_equal_prices_mean_rounding(rng):
    problem = problem_of(rng.normal(0, 5, (2, 4, 9)), np.eye(9))
    levels = sweep(problem, passing_on(problem), 0.5, flat_prices((2, 4, 9)), bit_cost=1.0)
    assert np.array_equal(levels, np.rint(problem.target / 0.5))


def test_the_factor_is_of_the_inverse(rng):
    problem = problem_of(np.zeros((1, 1, 7)), correlated(rng, 7))
    upper = passing_on(problem)[0]
    np.testing.assert_allclose(upper.T @ upper @ problem.curvature[0], np.eye(7), atol=1e-6)
    np.testing.assert_allclose(np.tril(upper, -1), 0, atol=1e-9)


def test_errors_are_made_up_for(rng):
    problem = problem_of(rng.normal(0, 3, (1, 40, 24)), correlated(rng, 24))
    swept = sweep(problem, passing_on(problem), 1.0, flat_prices((1, 40, 24)), 0.0)
    rounded = np.rint(problem.target)
    assert problem.errors(swept).sum() < 0.6 * problem.errors(rounded).sum()


@given(seed=st.integers(0, 200), size=st.integers(1, 3), cost=st.floats(0, 2))
def test_it_is_never_better_than_trying_all_levels(seed, size, cost):
    rng = np.random.default_rng(seed)
    problem = problem_of(rng.normal(0, 1.5, (1, 1, size)), correlated(rng, size))
    bits = np.abs(np.arange(-8, 9)) + 1.0
    prices = Prices(bits[None], np.zeros((1, 1, size), np.intp))

    def cost_of(levels):
        return problem.errors(levels).sum() + cost * prices.total(levels)

    found = sweep(problem, passing_on(problem), 1.0, prices, cost)
    every = [np.array(v).reshape(1, 1, size) for v in product(range(-7, 8), repeat=size)]
    assert cost_of(found) >= min(map(cost_of, every)) - 1e-9


def test_one_weight_takes_the_cheapest_of_its_neighbours_and_zero():
    problem = problem_of(np.array([[[2.6]]]), np.array([[2.0]]))
    prices = Prices(np.array([[9.0, 9, 9, 1, 2, 6, 9]]), np.zeros((1, 1, 1), np.intp))
    # 3: 2·0.4² = 0.32 and 9 bits; 2: 2·0.6² = 0.72 and 6 bits; 0: 2·2.6² = 13.52 and 1 bit.
    for cost, wanted in ((0.0, 3), (0.1, 3), (0.2, 2), (2.0, 2), (3.0, 0)):
        assert sweep(problem, passing_on(problem), 1.0, prices, cost).item() == wanted


def test_zeros_stay_and_dear_bits_make_more_of_them(rng):
    problem = problem_of(rng.normal(0, 2, (2, 8, 18)), correlated(rng, 18))
    problem = replace(problem, fixed=rng.random((2, 8, 18)) < 0.3)
    start = np.where(problem.fixed, 0, np.rint(problem.target)).astype(np.int64)
    prices = prices_of(start, (16, 2, 9), 64)
    upper = passing_on(problem)
    zeros = []
    for cost in (0.0, 0.3, 3.0, 1e6):
        levels = sweep(problem, upper, 1.0, prices, cost)
        assert (levels[problem.fixed] == 0).all()
        zeros.append(np.count_nonzero(levels == 0))
    assert zeros[0] < zeros[1] < zeros[2] < zeros[3] == levels.size
