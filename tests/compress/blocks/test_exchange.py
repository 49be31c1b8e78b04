import numpy as np
import pytest

from gossamer.compress.blocks.bins import bin_sizes, touched_blocks
from gossamer.compress.blocks.exchange import _savings, exchange


@pytest.mark.parametrize("seed", range(4))
def test_what_an_exchange_saves_is_known_exactly(seed):
    rng = np.random.default_rng(seed)
    mask, sizes = rng.random((10, 12)) < 0.3, bin_sizes(10, 4)
    bins = np.repeat(np.arange(3), sizes)
    found = _savings(mask.astype(np.float32), bins, sizes)
    for first in range(10):
        for second in range(10):
            order = np.arange(10)
            order[[first, second]] = order[[second, first]]
            saved = touched_blocks(mask, sizes) - touched_blocks(mask[order], sizes)
            assert found[first, second] == (saved if bins[first] < bins[second] else 0)


@pytest.mark.parametrize("seed", range(4))
def test_ends_where_no_exchange_saves_anything(seed):
    rng = np.random.default_rng(seed)
    mask, sizes = rng.random((16, 30)) < 0.2, bin_sizes(16, 4)
    start = rng.permutation(16)
    order = exchange(mask, start, sizes)
    assert sorted(order.tolist()) == list(range(16))
    assert touched_blocks(mask[order], sizes) < touched_blocks(mask[start], sizes)
    bins = np.repeat(np.arange(4), sizes)
    assert _savings(mask[order].astype(np.float32), bins, sizes).max() == 0
    once = exchange(mask, start, sizes, rounds=1)
    assert touched_blocks(mask[once], sizes) < touched_blocks(mask[start], sizes)
