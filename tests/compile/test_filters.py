"""Filters mean the same however they are held."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.compile.lowering.filters import Filters
from gossamer.graph import Dense, Sparse
from gossamer.graph.layouts import Codebook, Layout

SHAPE = (5, 3, 2, 2)
LAYOUTS = (Dense, Sparse, Codebook)


def weight(density: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.integers(1, 4, SHAPE) * (rng.random(SHAPE) < density)).astype(np.float32)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("density", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("order", [np.arange(12), np.random.default_rng(0).permutation(12)])
def test_both_forms_are_the_weight(layout: type[Layout], density: float, order: np.ndarray) -> None:
    scale = np.arange(1, 6, dtype=np.float32)
    expected = (weight(density).reshape(5, 12) * scale[:, None])[:, order]
    filters = Filters.of(layout.from_dense(weight(density)), order, scale)
    assert (len(filters), filters.size) == (5, 60)
    np.testing.assert_array_equal(filters.counts, np.count_nonzero(expected, axis=1))
    np.testing.assert_array_equal(filters.dense, expected)
    rows, taps = np.nonzero(expected)
    entries = filters.entries
    np.testing.assert_array_equal(entries.rows, rows)
    np.testing.assert_array_equal(entries.taps, taps)
    np.testing.assert_array_equal(entries.values, expected[rows, taps])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_scale_makes_zero_is_no_entry(layout: type[Layout]) -> None:
    scale = np.array([1, 0, 1, 0, 1], np.float32)
    filters = Filters.of(layout.from_dense(weight(1.0)), np.arange(12), scale)
    assert filters.counts.tolist() == [12, 0, 12, 0, 12]
    assert len(filters.entries.taps) == 36


def test_stored_zeros_are_no_entries() -> None:
    layout = Sparse((1, 2, 1, 1), np.array([0, 1]), np.array([0, 5], np.float32))
    assert Filters.of(layout, np.arange(2)).entries.taps.tolist() == [1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_taps_that_rows_share(layout: type[Layout], count: int) -> None:
    used = weight().reshape(5, 12) != 0
    expected = sum(used[i : i + count].any(0).sum() for i in range(0, 5, count))
    assert Filters.of(layout.from_dense(weight()), np.arange(12)).shared_taps(count) == expected
