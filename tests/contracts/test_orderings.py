"""What every registered ordering owes its users."""

import numpy as np
import pytest

from gossamer.compress.blocks import ordering
from gossamer.compress.blocks.bins import bin_sizes
from gossamer.compress.blocks.registry import ORDERINGS

pytestmark = pytest.mark.parametrize("name", list(ORDERINGS))


def planted(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose large entries stand at the same places in fours, shuffled; and before."""
    rng = np.random.default_rng(seed)
    mask = np.repeat(rng.random((10, 80)) < 0.2, 4, axis=0)
    true = np.where(mask, rng.uniform(0.5, 1.5, mask.shape), 0.0)
    return true[rng.permutation(len(true))], true


@pytest.mark.parametrize("seed", range(3))
def test_a_hidden_order_is_found(name, seed):
    shuffled, true = planted(seed)
    made, sizes = ORDERINGS[name], bin_sizes(40, 4)
    order = made(shuffled, sizes, 0.8, 0)
    assert sorted(order.tolist()) == list(range(40))
    worth = made.worth(true, sizes, 0.8)
    assert made.worth(shuffled[order], sizes, 0.8) >= worth - 0.01 * abs(worth)
    assert made.worth(shuffled, sizes, 0.8) < worth - 0.2 * abs(worth)


@pytest.mark.parametrize("count", [3, 4, 8, 21])
@pytest.mark.parametrize("seed", range(3))
def test_gives_nothing_worse_than_there_is(name, seed, count):
    rng = np.random.default_rng(seed)
    magnitudes = rng.random((count, 30)) * (rng.random((count, 30)) < 0.3)
    made, sizes = ORDERINGS[name], bin_sizes(count, 4)
    order = made(magnitudes, sizes, 0.5, 0)
    assert sorted(order.tolist()) == list(range(count))
    assert made.worth(magnitudes[order], sizes, 0.5) >= made.worth(magnitudes, sizes, 0.5)
    assert np.array_equal(order, made(magnitudes, sizes, 0.5, 0))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_that_are_all_alike_stay(name, value):
    order = ORDERINGS[name](np.full((12, 5), value), bin_sizes(12, 4), 0.5, 0)
    assert order.tolist() == list(range(12))


def test_very_wide_rows_are_judged_by_all_columns(name, monkeypatch):
    monkeypatch.setattr(ordering, "_MOST_COLUMNS", 20)
    shuffled, _ = planted(0)
    made, sizes = ORDERINGS[name], bin_sizes(40, 4)
    order = made(shuffled, sizes, 0.8, 0)
    assert made.worth(shuffled[order], sizes, 0.8) > made.worth(shuffled, sizes, 0.8)
    misleading = np.random.default_rng(0).random((12, 21))
    order = made(misleading, bin_sizes(12, 4), 0.5, 0)
    kept = made.worth(misleading[order], bin_sizes(12, 4), 0.5)
    assert kept >= made.worth(misleading, bin_sizes(12, 4), 0.5)
