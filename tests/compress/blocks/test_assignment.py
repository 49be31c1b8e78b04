from itertools import permutations

import numpy as np
import pytest

from gossamer.compress.blocks.assignment import assign, best_blocks, kept_magnitude
from gossamer.compress.blocks.bins import bin_sizes


def test_the_best_blocks_are_those_with_the_largest_means():
    rows = np.random.default_rng(0).random((9, 7))
    sizes = bin_sizes(9, 4)
    kept = best_blocks(rows, sizes, 0.6)
    means = np.stack([part.mean(0) for part in np.split(rows, [4, 8])])
    assert kept.sum() == 21 - round(0.6 * 21)
    assert means[kept].min() > means[~kept].max()
    assert kept_magnitude(rows, sizes, 0.0) == pytest.approx(1)
    assert kept_magnitude(np.zeros((4, 2)), bin_sizes(4, 2), 0.5) == 1


@pytest.mark.parametrize("seed", range(5))
def test_never_keeps_less_and_nothing_keeps_more_in_the_same_blocks(seed):
    rng = np.random.default_rng(seed)
    rows, sizes = rng.random((6, 8)), bin_sizes(6, 2)
    order = assign(rows, np.arange(6), sizes, 0.5)
    assert sorted(order.tolist()) == list(range(6))
    kept = kept_magnitude(rows[order], sizes, 0.5)
    assert kept >= kept_magnitude(rows, sizes, 0.5)
    blocks = np.repeat(best_blocks(rows[order], sizes, 0.5), sizes, axis=0)
    most = max((rows[list(other)] * blocks).sum() for other in permutations(range(6)))
    assert kept * rows.sum() == pytest.approx(most)
