from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.factor.allocate import Option, allocate

LAYER = st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.01, 5)), min_size=0, max_size=5).map(
    lambda rest: [Option(10.0, 0.0), *(Option(c, loss) for c, loss in rest)]
)


@given(st.lists(LAYER, min_size=1, max_size=4), st.floats(0, 1))
def test_the_budget_is_met_and_the_loss_near_the_least(layers, where):
    options = {str(i): own for i, own in enumerate(layers)}
    least = sum(min(one.cost for one in own) for own in layers)
    budget = least + where * (10 * len(layers) - least) + 1e-9
    chosen = allocate(options, budget)
    picked = [options[name][i] for name, i in chosen.items()]
    assert sum(one.cost for one in picked) <= budget + 1e-9
    ways = [w for w in product(*layers) if sum(one.cost for one in w) <= budget]
    best = min(sum(one.loss for one in way) for way in ways)
    # The hull misses the best by one step of one layer at most.
    assert sum(one.loss for one in picked) <= best + max(o.loss for own in layers for o in own)


def test_the_hull_jumps_over_what_does_not_pay():
    options = {"a": [Option(10, 0), Option(9.9, 1.0), Option(2, 1.1)]}
    assert allocate(options, 9.9) == {"a": 1}
    assert allocate(options, 5) == {"a": 2}
    assert allocate(options, 10) == {"a": 0}


def test_the_last_step_goes_no_further_than_it_must():
    fine = [Option(10 - i, i**2) for i in range(10)]
    coarse = [Option(10, 0), Option(1, 2.0)]
    chosen = allocate({"fine": fine, "coarse": coarse}, 20 - 1)
    assert chosen == {"fine": 1, "coarse": 0} or chosen == {"fine": 0, "coarse": 1}


@pytest.mark.parametrize("budget", [-1.0, 0.0])
def test_a_budget_out_of_reach_takes_all_there_is(budget):
    assert allocate({"a": [Option(2, 0), Option(1, 1)]}, budget) == {"a": 1}
