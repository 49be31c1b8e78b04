"""The measure of whether two outputs are equal."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.errors import VerificationError
from gossamer.graph.check import compare, distance

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("output", "reference", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 3.0], [1.0, 2.0], 0.5),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 1.0], [0.0, 0.0], INF),
        ([1e30, 1e30 + 1e25], [1e30, 1e30], 1e-5),
        ([NAN, 1.0], [INF, 1.0], 0.0),
        ([NAN, 1.0], [1.0, 1.0], INF),
        ([1.0, 1.0], [NAN, 1.0], INF),
        ([1.0], [1.0, 1.0], INF),
        ([], [], 0.0),
    ],
)
def test_distance(output: list[float], reference: list[float], expected: float) -> None:
    assert distance(np.array(output), np.array(reference)) == pytest.approx(expected)


def test_compare_names_the_place_and_says_how_far() -> None:
    compare("here", np.ones(3), np.ones(3) + 5e-6)
    with pytest.raises(VerificationError, match=r"here: values differ.*0\.001.*1e-05"):
        compare("here", np.ones(3), np.ones(3) + 1e-3)
    with pytest.raises(VerificationError, match="here: shapes differ"):
        compare("here", np.ones(3), np.ones(4))
    compare("here", np.ones(3), np.ones(3) + 1e-3, tolerance=0.01)
