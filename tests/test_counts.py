"""Parameters, MACs and bits against published counts and plain formulas."""

from __future__ import annotations

from itertools import product
from math import log2, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.counts import (
    conv2d_macs,
    entropy_bits,
    learning_bits,
    linear_macs,
    peak_live_size,
    position_bits,
    shared_bits,
)


def test_alexnet_layers() -> None:
    """Krizhevsky et al. 2012; MACs as counted by Han et al. 2015, table 4 (FLOPs = 2 MACs)."""
    assert conv2d_macs((96, 3, 11, 11), (55, 55)) == 105_415_200
    assert conv2d_macs((256, 48, 5, 5), (27, 27)) == 223_948_800
    assert conv2d_macs((384, 256, 3, 3), (13, 13)) == 149_520_384
    assert linear_macs((4096, 9216)) == 37_748_736


def test_depthwise_counts_its_own_channel_only() -> None:
    assert conv2d_macs((32, 1, 3, 3), (10, 10)) == 32 * 9 * 100


@pytest.mark.parametrize(
    ("symbols", "bits"),
    [
        ([], 0.0),
        ([7], 0.0),
        ([7, 7, 7], 0.0),
        ([0, 1], 2.0),
        ([0, 1, 2, 3], 8.0),
        ([0, 0, 0, 1], 4 * (0.75 * log2(4 / 3) + 0.25 * 2)),
    ],
)
def test_entropy(symbols: list[int], bits: float) -> None:
    assert entropy_bits(np.array(symbols, int)) == pytest.approx(bits)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60))
def test_entropy_is_bounded_and_ignores_order_and_names(symbols: list[int]) -> None:
    array = np.array(symbols)
    bits = entropy_bits(array)
    assert 0 <= bits <= len(array) * log2(len(set(symbols))) + 1e-9
    assert entropy_bits(np.sort(array) * 5 - 2) == pytest.approx(bits)


@given(st.integers(1, 500), st.data())
def test_positions_are_the_entropy_of_the_mask(size: int, data: st.DataObject) -> None:
    nonzeros = data.draw(st.integers(0, size))
    mask = np.arange(size) < nonzeros
    assert position_bits(size, nonzeros) == pytest.approx(entropy_bits(mask), abs=1e-9)


def test_no_positions_cost_nothing() -> None:
    assert position_bits(0, 0) == position_bits(9, 0) == position_bits(9, 9) == 0


@pytest.mark.parametrize(
    ("sizes", "last_reads", "peak"),
    [
        ([], [], 0),
        ([5], [0], 5),
        ([5, 3, 1], [1, 2, 2], 8),  # a chain: two neighbours
        ([5, 3, 1], [2, 2, 2], 9),  # the first is read again at the end
        ([1, 9, 1, 1], [3, 1, 3, 3], 10),  # nobody reads the large one
    ],
)
def test_peak_live_size(sizes: list[int], last_reads: list[int], peak: int) -> None:
    assert peak_live_size(sizes, last_reads) == peak


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5)), min_size=1, max_size=12))
def test_peak_live_size_is_the_largest_sum_over_time(values: list[tuple[int, int]]) -> None:
    sizes = [size for size, _ in values]
    last_reads = [made + extra for made, (_, extra) in enumerate(values)]
    alive = [
        sum(s for i, s in enumerate(sizes) if i <= time <= last_reads[i])
        for time in range(max(last_reads) + 1)
    ]
    assert peak_live_size(sizes, last_reads) == max(alive)


def test_the_rate_of_shared_values() -> None:
    """Han et al. 2016, figure 3: 16 weights of 32 bits on 4 values."""
    assert 16 * 32 / shared_bits(16, 4, bits=32) == pytest.approx(3.2)
    assert shared_bits(10, 1) == 32
    assert shared_bits(0, 0) == 0
    assert shared_bits(100, 256, bits=16) == 100 * 8 + 256 * 16


@pytest.mark.parametrize(("size", "kinds"), [(1, 1), (5, 2), (6, 3), (4, 4)])
def test_learning_costs_what_all_maximum_likelihoods_add_up_to(size: int, kinds: int) -> None:
    def likeliest(symbols: tuple[int, ...]) -> float:
        return prod(symbols.count(s) / size for s in symbols)

    total = sum(map(likeliest, product(range(kinds), repeat=size)))
    symbols = np.arange(size) % kinds
    assert learning_bits(symbols) == pytest.approx(log2(total))
