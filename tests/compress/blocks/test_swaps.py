import numpy as np
import pytest

from gossamer.compress.blocks import swaps
from gossamer.compress.blocks.assignment import best_blocks, kept_magnitude
from gossamer.compress.blocks.bins import bin_sizes, bin_sums
from gossamer.compress.blocks.orderings import SWAPS
from gossamer.compress.blocks.swaps import swap


def above(rows: np.ndarray, sizes: np.ndarray, threshold: float) -> float:
    return float(np.maximum(bin_sums(rows, sizes) - threshold * sizes[:, None], 0).sum())


@pytest.mark.parametrize("seed", range(4))
def test_gains_above_a_threshold_are_exact(seed):
    rows, sizes = np.random.default_rng(seed).random((10, 9)), bin_sizes(10, 4)
    bins = np.repeat(np.arange(3), sizes)
    found = swaps._gains(rows, bins, sizes, 0.6)
    threshold = (bin_sums(rows, sizes) / sizes[:, None])[best_blocks(rows, sizes, 0.6)].min()
    for first in range(10):
        for second in range(10):
            order = np.arange(10)
            order[[first, second]] = order[[second, first]]
            gain = above(rows[order], sizes, threshold) - above(rows, sizes, threshold)
            expected = gain if bins[first] < bins[second] else 0.0
            assert found[first, second] == pytest.approx(expected)


@pytest.mark.parametrize("work", [2 * 10**8, 1000])
def test_keeps_more_and_never_less(work, monkeypatch):
    monkeypatch.setattr(swaps, "_MOST_WORK", work)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rows, sizes = rng.random((24, 40)), bin_sizes(24, 4)
        start = rng.permutation(24)
        order = swap(rows, start, sizes, 0.75)
        assert sorted(order.tolist()) == list(range(24))
        assert kept_magnitude(rows[order], sizes, 0.75) >= kept_magnitude(rows[start], sizes, 0.75)
        if work > 1000:
            assert not np.array_equal(order, start)


def test_one_bin_and_equal_rows_are_left_alone():
    assert swap(np.ones((3, 2)), np.arange(3), bin_sizes(3, 4), 0.5).tolist() == [0, 1, 2]
    assert swap(np.ones((6, 2)), np.arange(6), bin_sizes(6, 2), 0.5).tolist() == list(range(6))


def test_few_blocks_of_which_almost_all_are_to_be_pruned():
    rows = np.array([[1.0], [3.0], [1.0], [3.0]])
    order = SWAPS(rows, bin_sizes(4, 2), 0.97)
    assert kept_magnitude(rows[order], bin_sizes(4, 2), 0.97) == 0.75
