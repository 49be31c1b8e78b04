"""Names of activations: which there are, and that each function has one name only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import ShapeError
from gossamer.graph.activations import ACTIVATIONS, check_activation, leaky_relu, slope_of
from gossamer.graph.ops import Activation


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_words(name: str) -> None:
    check_activation(name)
    assert slope_of(name) is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_slope_comes_back(slope: float) -> None:
    name = leaky_relu(slope)
    check_activation(name)
    assert slope_of(name) == slope


def test_a_slope_is_rounded_to_float32() -> None:
    assert leaky_relu(0.1) == leaky_relu(float(np.float32(0.1))) == "leaky_relu(0.1)"


@pytest.mark.parametrize("slope", [np.nan, np.inf, -np.inf, 1e39])
def test_slopes_that_are_no_number(slope: float) -> None:
    with pytest.raises(ShapeError, match="bad slope"):
        leaky_relu(slope)


@pytest.mark.parametrize(
    "name",
    [
        *("swish", "leaky_relu", "leaky_relu()", "leaky_relu(0.10)", "leaky_relu(1e-1)"),
        *("leaky_relu(.1)", "leaky_relu(nan)", "leaky_relu(inf)", "leaky_relu(1e39)"),
        *("leaky_relu(--1)", "leaky_relu(0.1) ", "leaky_relu(0.1", "leaky_relu(1e)"),
        "leaky_relu(0.1000000000000000055)",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match="unknown activation"):
        Activation(name)
