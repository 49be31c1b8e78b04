"""Penalties on activations: values, slopes, and that width and scale do not matter where said."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.neurons.penalty import PENALTIES, hoyer_square_penalty, treves_rolls


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


SLOPES = {
    "log": lambda z: 2 * z / (1 + z**2),
    "log-of-square": lambda z: 2 * z.sign() / (1 + z.abs()),
    "square-of-log": lambda z: 2 * z.sign() * torch.log1p(z.abs()) / (1 + z.abs()),
    "l1": lambda z: z.sign(),
}


@pytest.mark.parametrize("name", SLOPES)
@given(seed=st.integers(0, 50))
def test_slopes_are_the_closed_forms_over_the_number_of_neurons(name, seed):
    z = normal(seed, 3, 4, 2, 2).requires_grad_()
    PENALTIES[name](z).backward()
    torch.testing.assert_close(z.grad, SLOPES[name](z.detach()) / z.numel())


def test_only_the_reading_with_the_square_inside_is_steepest_at_zero():
    small, one = torch.tensor([[1e-6]]).double(), torch.tensor([[1.0]]).double()
    at = {name: (SLOPES[name](small).item(), SLOPES[name](one).item()) for name in SLOPES}
    assert at["log"] == pytest.approx((0, 1), abs=1e-5)
    assert at["log-of-square"] == pytest.approx((2, 1), abs=1e-5)
    assert at["square-of-log"][0] == pytest.approx(0, abs=1e-5)
    assert at["l1"] == (1, 1)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_wider_layer_of_the_same_activity_pays_the_same(name):
    z = normal(0, 5, 6, 3, 3)
    wide = torch.cat([z, z], 1)
    torch.testing.assert_close(PENALTIES[name](wide), PENALTIES[name](z))
    assert PENALTIES[name](torch.zeros(2, 3)) == 0


@given(seed=st.integers(0, 50), scale=st.floats(0.1, 100))
def test_hoyer_square_lies_between_one_neuron_and_all_and_has_no_scale(seed, scale):
    z = normal(seed, 4, 12)
    found = float(hoyer_square_penalty(z))
    assert 1 / 12 <= found <= 1
    assert float(hoyer_square_penalty(scale * z)) == pytest.approx(found)
    assert float(hoyer_square_penalty(torch.eye(12))) == pytest.approx(1 / 12)
    assert float(hoyer_square_penalty(-3 * torch.ones(2, 12))) == pytest.approx(1)


def test_treves_rolls_is_the_share_of_equal_neurons_that_are_active():
    assert treves_rolls(torch.eye(8)) == pytest.approx(1 / 8)
    assert treves_rolls(torch.ones(8)) == pytest.approx(1)
