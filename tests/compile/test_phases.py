"""A filter with a stride as a sum over phases: nothing is left out that is not zero."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.compile.kernels.minimal_filter import MinimalFilter
from gossamer.compile.kernels.phases import Phases


@pytest.mark.parametrize(
    ("size", "stride"), [(3, 1), (5, 2), (6, 2), (7, 2), (7, 3), (8, 3), (9, 3)]
)
@pytest.mark.parametrize("last_row", [False, True])
@pytest.mark.parametrize("last_column", [False, True])
def test_a_product_sums_the_phases_that_are_not_zero(
    size: int, stride: int, last_row: bool, last_column: bool
) -> None:
    phases = Phases(size, stride)
    assert sorted(phases.order) == [divmod(p, stride) for p in range(stride**2)]
    to_products = MinimalFilter(2, phases.taps).filter_matrix
    point = [to_products[-1 if last else 1] for last in (last_row, last_column)]
    first, end = phases.span(last_row=last_row, last_column=last_column)
    for index, (row, column) in enumerate(phases.order):
        filters = np.zeros((phases.taps, phases.taps))
        filters[: phases.taps_of(row), : phases.taps_of(column)] = 1
        assert (point[0] @ filters @ point[1] != 0) == (first <= index < end)


def test_the_first_layer_of_resnet_needs_121_of_144_products_of_phases() -> None:
    phases, last = Phases(7, 2), [False] * 5 + [True]
    spans = [phases.span(last_row=r, last_column=c) for r in last for c in last]
    assert sum(end - first for first, end in spans) == 121
