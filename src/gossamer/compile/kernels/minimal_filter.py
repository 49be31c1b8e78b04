"""Winograd's minimal filtering F(m, r): m outputs of a filter of r taps by m + r − 1 products.

With d the m + r − 1 inputs and g the filter, the outputs are Aᵀ[(G g) ⊙ (Bᵀ d)] (Winograd,
"Arithmetic complexity of computations", 1980; Lavin and Gray, CVPR 2016, who give the matrices for
the points 0, 1, −1, 2, −2). The matrices are made here, for any m and r, by multiplying two
polynomials at m + r − 2 points and at infinity (Toom and Cook).

The points 1/2 and −2 follow 0, 1, −1: with them F(4, 3) rounds 1.5 times less than with 2 and −2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod

import numpy as np

POINTS = tuple(map(Fraction, ("0", "1", "-1", "1/2", "-2", "2", "-1/2")))


@dataclass(frozen=True)
class MinimalFilter:
    """The matrices of F(m, r), exact.

    Args:
        outputs: m, at least 1.
        taps: r, at least 1; m + r − 2 ≤ 7.

    Examples:
        >>> MinimalFilter(2, 3).result_matrix.tolist()
        [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, 1.0]]
    """

    outputs: int
    taps: int

    @property
    def products(self) -> int:
        """Multiplications, and inputs that are read."""
        return self.outputs + self.taps - 1

    @cached_property
    def input_matrix(self) -> np.ndarray:
        """Bᵀ, (products, products) float64."""
        points = self._points
        rows = [
            [*_with_roots(points[:i] + points[i + 1 :]), Fraction(0)] for i in range(len(points))
        ]
        return _matrix([*rows, _with_roots(points)])

    @cached_property
    def filter_matrix(self) -> np.ndarray:
        """G, (products, taps) float64."""
        points = self._points
        rows = []
        for i, point in enumerate(points):
            distance = prod(
                (point - other for other in points[:i] + points[i + 1 :]), start=Fraction(1)
            )
            rows.append([point**j / distance for j in range(self.taps)])
        return _matrix([*rows, _last(self.taps)])

    @cached_property
    def result_matrix(self) -> np.ndarray:
        """Aᵀ, (outputs, products) float64."""
        columns = [[point**j for j in range(self.outputs)] for point in self._points]
        return _matrix([*columns, _last(self.outputs)]).T

    @property
    def _points(self) -> tuple[Fraction, ...]:
        return POINTS[: self.products - 1]


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients of Π (x − root), the constant first."""
    result = [Fraction(1)]
    for root in roots:
        higher, lower = [Fraction(0), *result], [*result, Fraction(0)]
        result = [a - root * b for a, b in zip(higher, lower, strict=True)]
    return result


def _last(length: int) -> list[Fraction]:
    """Return the row of the point at infinity."""
    return [Fraction(0)] * (length - 1) + [Fraction(1)]


def _matrix(rows: Sequence[Sequence[Fraction]]) -> np.ndarray:
    return np.array([[float(value) for value in row] for row in rows])
