"""Integers and scales: what they mean, and what does not fit together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Quantised

INTEGERS = arrays.arrays(np.int8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=4))


@st.composite
def layouts(draw: st.DrawFn) -> Quantised:
    integers = draw(INTEGERS)
    scales = draw(st.lists(st.sampled_from([0.0, 0.5, -2.0, 1e-40, 1 / 3]), min_size=4))
    return Quantised(integers, np.array(scales[: len(integers)]))


@given(layouts())
def test_means_its_integers_times_their_scale(layout: Quantised) -> None:
    dense = layout.to_dense()
    assert (dense.dtype, dense.shape) == (np.float32, layout.shape)
    for row, integers, scale in zip(dense, layout.integers, layout.scales, strict=True):
        np.testing.assert_array_equal(row, integers.astype(np.float32) * scale)
    assert not np.signbit(dense[dense == 0]).any()
    assert layout.nonzeros == np.count_nonzero(dense)
    assert layout == Quantised(layout.integers.copy(), layout.scales.copy())
    assert layout != Quantised(layout.integers, layout.scales + 1)
    assert layout != Dense(dense)
    half = 2 ** (layout.bits - 1)
    assert (layout.integers.min(), layout.integers.max()) >= (-half, -half)
    assert layout.integers.max() < half


@pytest.mark.parametrize(
    ("values", "bits"),
    [([0], 1), ([-1, 0], 1), ([1], 2), ([-2], 2), ([-8, 7], 4), ([8], 5), ([-128], 8), ([127], 8)],
)
def test_bits_are_the_fewest(values: list[int], bits: int) -> None:
    assert Quantised(np.array([values]), np.ones(1)).bits == bits


@given(layouts(), st.integers(0, 2**32 - 1))
def test_slices_are_taken_in_the_same_form(layout: Quantised, seed: int) -> None:
    rng = np.random.default_rng(seed)
    axis = int(rng.integers(len(layout.shape)))
    indices = rng.integers(layout.shape[axis], size=3)
    taken = layout.take(indices, axis)
    assert isinstance(taken, Quantised)
    np.testing.assert_array_equal(taken.to_dense(), layout.to_dense().take(indices, axis))


def test_keeps_its_own_copy() -> None:
    integers, scales = np.ones((2, 3), np.int8), np.ones(2, np.float32)
    layout = Quantised(integers, scales)
    integers[:], scales[:] = 7, 7
    assert (layout.to_dense() == 1).all()
    assert not any(part.flags.writeable for part in layout.parts())


@pytest.mark.parametrize(
    ("integers", "scales"),
    [
        (np.zeros((2, 3), int), np.ones(3)),
        (np.zeros((2, 3), int), np.ones(())),
        (np.full((1, 1), 128), np.ones(1)),
        (np.full((1, 1), -129), np.ones(1)),
        (np.full((1, 1), 0.5), np.ones(1)),
        (np.zeros((1, 1), int), np.array([np.nan])),
        (np.zeros((1, 1), int), np.array([np.inf])),
    ],
)
def test_what_does_not_fit_together(integers: np.ndarray, scales: np.ndarray) -> None:
    with pytest.raises(ShapeError):
        Quantised(integers, scales)


def test_floats_are_not_guessed_to_be_integers() -> None:
    with pytest.raises(ShapeError, match=r"graph\.quantise"):
        Quantised.from_dense(np.ones((2, 2)))
