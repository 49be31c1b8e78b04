"""The contract of a sparse coder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gossamer.sparsecoding.arrays import as_count, as_number
from gossamer.sparsecoding.lasso import Lasso


@dataclass(frozen=True)
class Stop:
    """When a sparse coder ends.

    Args:
        tolerance: a signal is done when its duality gap is at most so much of ½‖x‖², which is the
            objective of codes that are all 0; ≥ 0.
        most_iterations: after so many it ends in any case; ≥ 1. What an iteration is, the coder
            says.

    Raises:
        SpecError: one of them is out of range.
    """

    tolerance: float = 1e-6
    most_iterations: int = 10_000

    def __post_init__(self) -> None:
        as_number(self.tolerance, "tolerance")
        as_count(self.most_iterations, "most_iterations")


@dataclass(frozen=True, eq=False)
class SparseCodes:
    """What a sparse coder found, and how good it is, for each signal.

    Args:
        codes: (N, K) float64.
        gaps: duality gaps (N,): the objective is above its minimum by at most so much.
        iterations: (N,) after which a signal was done, or the limit was reached.
        converged: (N,) bool: the gap is within the tolerance; False where the limit came first.
    """

    codes: np.ndarray
    gaps: np.ndarray
    iterations: np.ndarray
    converged: np.ndarray


class SparseCoder(Protocol):
    """A frozen dataclass whose options all have defaults, `stop` among them."""

    @property
    def stop(self) -> Stop:
        """When it ends."""
        ...

    def __call__(self, lasso: Lasso, signals: np.ndarray) -> SparseCodes:
        """Return the codes of signals (N, m); no signals give no codes.

        Raises:
            ShapeError: the signals do not fit the dictionary.
            DataError: an entry is not finite.
        """
        ...
