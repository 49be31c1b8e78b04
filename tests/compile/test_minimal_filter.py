"""F(m, r) against plain sums, and against the matrices of Lavin and Gray."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile.kernels.minimal_filter import POINTS, MinimalFilter


@given(outputs=st.integers(1, 6), taps=st.integers(1, 6), seed=st.integers(0, 999))
def test_outputs_are_those_of_the_filter(outputs: int, taps: int, seed: int) -> None:
    if outputs + taps - 2 > len(POINTS):
        return
    rule, rng = MinimalFilter(outputs, taps), np.random.default_rng(seed)
    inputs, weights = rng.standard_normal(rule.products), rng.standard_normal(taps)
    products = (rule.filter_matrix @ weights) * (rule.input_matrix @ inputs)
    expected = np.correlate(inputs, weights, "valid")
    np.testing.assert_allclose(rule.result_matrix @ products, expected, atol=1e-11)


def test_f_2_3_is_that_of_lavin_and_gray() -> None:
    rule = MinimalFilter(2, 3)
    assert abs(rule.result_matrix).tolist() == [[1, 1, 1, 0], [0, 1, 1, 1]]
    assert abs(rule.filter_matrix).tolist() == [[1, 0, 0], [0.5] * 3, [0.5] * 3, [0, 0, 1]]
    assert np.count_nonzero(rule.input_matrix) == 8


@pytest.mark.parametrize(("outputs", "taps"), [(1, 3), (3, 1)])
def test_of_one_output_or_tap_it_saves_nothing(outputs: int, taps: int) -> None:
    assert MinimalFilter(outputs, taps).products == 3
