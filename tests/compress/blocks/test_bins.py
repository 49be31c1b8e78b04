import numpy as np
import pytest

from gossamer.compress.blocks.bins import best_apart, bin_sizes, bin_sums, touched_blocks


@pytest.mark.parametrize(("count", "height"), [(1, 4), (4, 4), (9, 4), (8, 2), (5, 1)])
def test_sizes_and_sums(count, height):
    rows = np.random.default_rng(0).integers(-1, 2, (count, 5))
    sizes = bin_sizes(count, height)
    parts = [rows[start : start + height] for start in range(0, count, height)]
    assert sizes.tolist() == [len(part) for part in parts]
    assert (bin_sums(rows, sizes) == [part.sum(0) for part in parts]).all()
    assert touched_blocks(rows, sizes) == sum((part != 0).any(0).sum() for part in parts)


def test_pairs_share_no_bin_and_come_best_first():
    savings = np.zeros((6, 6))
    savings[0, 2], savings[0, 4], savings[2, 5], savings[1, 3] = 3, 9, 4, 1
    assert best_apart(savings, np.repeat(range(3), 2)).tolist() == [[0, 4]]
    assert best_apart(savings, np.arange(6)).tolist() == [[0, 4], [2, 5], [1, 3]]
    assert best_apart(np.zeros((2, 2)), np.arange(2)).shape == (0, 2)
