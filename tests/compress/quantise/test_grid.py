import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.quantise.grid import CALIBRATIONS, channel_scales, short, to_grid
from gossamer.graph.rewrite.read_grids import grid_of


def draw(seed, shape=(6, 4, 3, 3)):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_integers_can_be_read_off(bits, calibration):
    largest = 2 ** (bits - 1) - 1
    weight = draw(bits) * torch.logspace(-4, 2, 6).view(-1, 1, 1, 1)
    scales = channel_scales(weight, largest, calibration)
    rounded = to_grid(weight, scales, largest)
    found = grid_of(rounded.numpy())
    assert found is not None
    assert np.array_equal(found.to_dense(), rounded.numpy())
    assert np.abs(found.integers).max() <= largest
    # The scale that is read is the one chosen, or a multiple where all integers have a divisor.
    steps = found.scales / scales.numpy()
    np.testing.assert_array_equal(steps, np.rint(steps))


@given(bits=st.integers(2, 8), seed=st.integers(0, 999), exponent=st.integers(-30, 30))
def test_rounding_is_to_the_nearest_inside_the_range(bits, seed, exponent):
    largest = 2 ** (bits - 1) - 1
    weight = draw(seed, (3, 20)) * 2.0**exponent
    scales = channel_scales(weight, largest, "minmax")
    error = (to_grid(weight, scales, largest) - weight).abs()
    assert (error <= 0.501 * scales[:, None] * (1 + 2**-15)).all()


def test_min_max_reaches_the_largest_entry():
    weight = draw(0)
    rounded = to_grid(weight, channel_scales(weight, 127, "minmax"), 127)
    assert np.abs(grid_of(rounded.numpy()).integers).reshape(6, -1).max(1).tolist() == [127] * 6


def test_the_least_squared_error_is_found():
    weight = draw(1) ** 3  # heavy tails: clipping pays
    errors = {}
    for calibration in CALIBRATIONS:
        scales = channel_scales(weight, 7, calibration)
        errors[calibration] = float((to_grid(weight, scales, 7) - weight).square().sum())
    assert errors["mse"] < errors["minmax"]
    best = channel_scales(weight, 7, "mse")
    for factor in (0.8, 1.25):
        other = to_grid(weight, short(best * factor), 7)
        assert float((other - weight).square().sum()) > errors["mse"]


def test_percentiles_are_of_nonzeros():
    row = torch.cat([torch.zeros(900), torch.arange(1.0, 101)])[None]
    assert channel_scales(row, 1, "percentile", 90)[0] == pytest.approx(90, abs=1)
    assert channel_scales(row, 1, "percentile", 100)[0] == 100
    assert channel_scales(torch.zeros(1, 5), 7, "percentile", 90)[0] == 1


def test_zeros_and_empty_channels_stay():
    weight = draw(2)
    weight[weight.abs() < 1] = 0
    weight[3] = 0
    for calibration in CALIBRATIONS:
        rounded = to_grid(weight, channel_scales(weight, 7, calibration), 7)
        assert ((rounded == 0) >= (weight == 0)).all()
        assert rounded.isfinite().all()


def test_short_numbers_have_sixteen_bits():
    scales = short(torch.from_numpy(np.random.default_rng(0).random(1000).astype(np.float32)))
    mantissas = np.frexp(scales.numpy())[0] * 2**16
    assert np.array_equal(mantissas, np.rint(mantissas))
    assert short(torch.tensor([0.0, 1e-38])).tolist() == [1.0, 1.0]
