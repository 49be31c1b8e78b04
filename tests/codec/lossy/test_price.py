import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.lossy.price import prices_of
from gossamer.codec.mixing.stream import MixedStream


@given(
    shape=st.sampled_from([(3, 5), (8, 8, 3, 3), (30, 40)]),
    spread=st.floats(0, 9),
    seed=st.integers(0, 99),
)
def test_prices_are_those_of_a_complete_code(shape, spread, seed):
    rng = np.random.default_rng(seed)
    levels = np.rint(rng.normal(0, spread, shape)).astype(np.int64).clip(-40, 40)
    prices = prices_of(levels, shape, 40)
    np.testing.assert_allclose((2**-prices.table).sum(axis=1), 1)
    assert prices.classes.shape == shape
    assert prices.largest == 40
    assert prices.total(levels) >= 0


def test_entries_of_quiet_filters_and_channels_pay_more_for_loud_levels(rng):
    loud = np.repeat([0.2, 4.0], 16)
    scale = loud[:, None, None] * loud[None, :, None] * np.ones(9)
    levels = np.rint(rng.laplace(0, scale)).astype(np.int64)
    prices = prices_of(levels, levels.shape, 200)
    quiet, noisy = prices.classes[0, 0, 0], prices.classes[-1, -1, 0]
    assert prices.table[quiet, 200 + 10] > prices.table[noisy, 200 + 10] + 3
    assert prices.table[quiet, 200] < prices.table[noisy, 200] - 3


@pytest.mark.parametrize("size", [0.4, 2.0, 8.0])
def test_they_are_near_what_the_mixing_coder_takes(rng, size):
    filters = np.exp(rng.normal(0, 0.5, (64, 1, 1)))
    levels = np.rint(rng.laplace(0, size * filters, (64, 32, 9))).astype(np.int64)
    stream = MixedStream()
    stream.levels(levels.reshape(64, 32, 3, 3), int(np.abs(levels).max()).bit_length())
    total = prices_of(levels, levels.shape, int(np.abs(levels).max())).total(levels)
    assert 0.95 < total / stream.ideal_bits < 1.05


def test_known_lowest_bits_are_free(rng):
    levels = np.rint(rng.normal(0, 5, (16, 8, 9))).astype(np.int64)
    plain, told = (prices_of(levels, levels.shape, 40, told=told) for told in (False, True))
    shares = 2**-told.table
    for parity in (0, 1):
        np.testing.assert_allclose(shares[:, parity::2].sum(axis=1), 1)
    assert 0.9 < (plain.total(levels) - told.total(levels)) / levels.size < 1.1
