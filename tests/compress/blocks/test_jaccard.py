import numpy as np

from gossamer.compress.blocks.bins import bin_sizes, touched_blocks
from gossamer.compress.blocks.jaccard import group_rows


def test_takes_the_likest_row_of_those_that_are_left():
    rng = np.random.default_rng(0)
    mask = rng.random((11, 20)) < 0.3
    order = group_rows(mask, bin_sizes(11, 4)).tolist()
    assert sorted(order) == list(range(11))
    left, union = set(range(11)), np.zeros(20, bool)
    for place, row in enumerate(order):
        if place % 4:
            index = {r: (mask[r] & union).sum() / (mask[r] | union).sum() for r in left}
            assert index[row] == max(index.values())
            union |= mask[row]
        else:
            assert mask[row].sum() == max(mask[r].sum() for r in left)
            union = mask[row].copy()
        left.remove(row)


def test_hidden_groups_are_found(planted):
    for seed in range(5):
        shuffled, true = planted(seed)
        sizes = bin_sizes(len(true), 4)
        order = group_rows(shuffled != 0, sizes)
        assert touched_blocks(shuffled[order], sizes) == touched_blocks(true, sizes)


def test_empty_rows_and_full_rows():
    for mask in (np.zeros((5, 3), bool), np.ones((5, 3), bool)):
        assert sorted(group_rows(mask, bin_sizes(5, 2)).tolist()) == list(range(5))
