from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.codec.lossy import trellis
from gossamer.codec.lossy.price import Prices
from gossamer.codec.lossy.sweep import passing_on, sweep
from gossamer.codec.lossy.trellis import sweep_trellis
from gossamer.codec.parity import is_told, next_state
from tests.codec.lossy.problems import correlated, flat_prices, problem_of


def every_way(wanted, state=0):
    """All told levels within three of what is wanted."""
    if not len(wanted):
        return [[]]
    near = [v for v in range(int(wanted[0]) - 3, int(wanted[0]) + 4) if (v ^ state) & 1 == 0]
    return [[v, *way] for v in near for way in every_way(wanted[1:], next_state(state, v))]


@settings(max_examples=30)
@given(seed=st.integers(0, 300), size=st.integers(1, 5), cost=st.floats(0, 2))
def test_for_independent_inputs_it_finds_the_best_of_all_ways(seed, size, cost):
    rng = np.random.default_rng(seed)
    problem = problem_of(rng.normal(0, 2, (1, 1, size)), np.diag(rng.uniform(0.2, 3, size)))
    bits = rng.uniform(0, 2, 129)
    prices = Prices(bits[None], np.zeros((1, 1, size), np.intp))

    def cost_of(levels):
        return problem.errors(np.array([[levels]])).sum() + cost * bits[np.array(levels) + 64].sum()

    found = sweep_trellis(problem, passing_on(problem), 1.0, prices, cost)
    assert is_told(found[0])
    best = min(map(cost_of, every_way(problem.target[0, 0])))
    # Of each two lowest bits only the nearest level is tried: a farther one may be cheaper.
    assert best - 1e-9 <= cost_of(found[0, 0])
    if cost == 0:
        assert cost_of(found[0, 0]) <= best + 1e-9


def test_at_half_the_step_and_one_bit_less_errors_are_smaller(rng):
    problem = problem_of(rng.normal(0, 6, (1, 40, 80)), correlated(rng, 80, 200, damping=1e-2))
    upper, prices = passing_on(problem), flat_prices((1, 40, 80))
    plain = sweep(problem, upper, 1.0, prices, 0.0)
    told = sweep_trellis(problem, upper, 0.5, prices, 0.0)
    assert is_told(told[0])
    # Ungerboeck's 32 states gain 1.2 dB in theory, on uniform sources: Marcellin & Fischer 1990.
    gained = problem.errors(plain).sum() / problem.errors(0.5 * told).sum()
    assert 0.9 < 10 * np.log10(gained) < 1.4


def test_neither_blocks_nor_chunks_of_rows_nor_groups_change_anything(rng, monkeypatch):
    problem = problem_of(rng.normal(0, 3, (2, 7, 30)), correlated(rng, 30, 60, damping=1e-2))
    upper, prices = passing_on(problem), flat_prices((2, 7, 30))
    found = sweep_trellis(problem, upper, 0.7, prices, 0.1)
    monkeypatch.setattr(trellis, "_BLOCK", 7)
    monkeypatch.setattr(trellis, "_MOST_ENTRIES", 1)
    assert np.array_equal(sweep_trellis(problem, upper, 0.7, prices, 0.1), found)
    for g in range(2):
        one = replace(problem, target=problem.target[[g]], curvature=problem.curvature[[g]])
        part = Prices(prices.table, prices.classes[[g]])
        assert np.array_equal(sweep_trellis(one, upper[[g]], 0.7, part, 0.1)[0], found[g])


@pytest.mark.parametrize("largest", [1, 3])
def test_levels_beyond_those_with_prices_take_the_last_price(rng, largest):
    problem = problem_of(rng.normal(0, 20, (1, 3, 12)), np.eye(12))
    prices = flat_prices((1, 3, 12), largest)
    found = sweep_trellis(problem, passing_on(problem), 1.0, prices, 1.0)
    assert is_told(found[0])
    assert np.abs(found - problem.target).max() <= 2.5


def test_dear_bits_make_levels_smaller(rng):
    problem = problem_of(rng.normal(0, 3, (1, 8, 40)), np.eye(40))
    bits = 1.0 + np.abs(np.arange(-64, 65))
    prices = Prices(bits[None], np.zeros((1, 8, 40), np.intp))
    upper = passing_on(problem)
    sums = [np.abs(sweep_trellis(problem, upper, 1.0, prices, c)).sum() for c in (0.0, 0.2, 2.0)]
    assert sums[0] > sums[1] > sums[2]
