"""The lasso: what sparse codes minimise, and how far given ones are from the minimum.

A signal x (m) has over a dictionary D (m, K) the codes α (K) that minimise

    P(α) = ½‖x − Dα‖² + λ‖α‖₁,

with the ½: other programs state λ otherwise (scikit-learn's `Lasso` has alpha = λ / m).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gossamer.errors import DataError, ShapeError
from gossamer.sparsecoding.arrays import LARGEST, as_array, as_number


def soft_threshold(values: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """Return the values, each moved towards 0 by the threshold: what |·| has as proximal operator.

    What is not beyond the threshold becomes exactly 0.

    Examples:
        >>> soft_threshold(np.array([-3.0, 0.5, 2.0]), 1.0)
        array([-2.,  0.,  1.])
    """
    return values - np.clip(values, -threshold, threshold)


@dataclass(frozen=True, eq=False)
class Lasso:
    """The lasso over one dictionary at one penalty, for any signals.

    With no penalty the certificate is ½‖r‖²: it is small for codes that give the signal back, and
    says nothing of a least-squares solution that does not.

    Args:
        dictionary: D (m, K), one atom a column, none of them zero; a copy is kept.
        penalty: λ ≥ 0.

    Raises:
        ShapeError: the dictionary is no matrix, or has no atoms.
        DataError: an entry is not finite, or an atom is zero.
        SpecError: the penalty is not a finite number ≥ 0.

    Examples:
        >>> lasso = Lasso(np.eye(2), penalty=1.0)
        >>> signals, codes = np.array([[3.0, 0.5]]), np.array([[2.0, 0.0]])
        >>> lasso.objectives(signals, codes), lasso.gaps(signals, codes)
        (array([2.625]), array([0.]))
        >>> lasso.largest_penalties(signals)
        array([3.])
    """

    dictionary: np.ndarray
    penalty: float

    def __post_init__(self) -> None:
        dictionary = as_array(self.dictionary, "dictionary", ("m", "K"))
        _check_atoms(dictionary)
        object.__setattr__(self, "dictionary", dictionary)
        object.__setattr__(self, "penalty", as_number(self.penalty, "penalty"))

    @cached_property
    def gram(self) -> np.ndarray:
        """G = DᵀD (K, K)."""
        return self.dictionary.T @ self.dictionary

    @cached_property
    def curvature(self) -> float:
        """L, the largest eigenvalue of the Gram matrix: how fast the gradient changes at most."""
        return float(np.linalg.norm(self.dictionary, 2) ** 2)

    @cached_property
    def gradient_step(self) -> tuple[np.ndarray, np.ndarray, float]:
        """A proximal gradient step of length 1/L as a layer of a network.

        The step from codes (N, K) is `soft_threshold(x @ filters + codes @ inhibition, threshold)`
        with filters D/L (m, K), inhibition I − G/L (K, K) and threshold λ/L.
        """
        inhibition = np.eye(len(self.gram)) - self.gram / self.curvature
        return self.dictionary / self.curvature, inhibition, self.penalty / self.curvature

    def as_signals(self, signals: np.ndarray) -> np.ndarray:
        """Return signals as float64 (N, m), after a check of shape and numbers."""
        return as_array(signals, "signals", ("N", len(self.dictionary)))

    def objectives(self, signals: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return P (N,) of codes (N, K) for signals (N, m)."""
        signals, codes = self._checked(signals, codes)
        residuals = signals - codes @ self.dictionary.T
        return 0.5 * (residuals**2).sum(1) + self.penalty * np.abs(codes).sum(1)

    def largest_penalties(self, signals: np.ndarray) -> np.ndarray:
        """Return ‖Dᵀx‖∞ (N,): at penalties from there on, all codes of a signal are 0."""
        return np.abs(self.as_signals(signals) @ self.dictionary).max(1)

    def dual_points(self, signals: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return θ (N, m) with |Dᵀθ| ≤ λ: the residuals r, made as much shorter as that takes.

        The dual of the lasso is the largest ½‖x‖² − ½‖x − θ‖² among such θ; it is at most P(α).
        """
        signals, codes = self._checked(signals, codes)
        residuals = signals - codes @ self.dictionary.T
        return self._shortening(residuals @ self.dictionary) * residuals

    def gaps(self, signals: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return P minus the dual at `dual_points` (N,), by which P may exceed its minimum at most.

        With θ = s·r the difference is ½(1 − s)²‖r‖² + Σ (λ|αₖ| − s·αₖ·dₖᵀr), in which no term is
        below 0, so that small gaps are not lost in rounding.

        Source: Massias, Gramfort & Salmon, "Celer", 2018, section 2, for the dual point.
        """
        signals, codes = self._checked(signals, codes)
        residuals = signals - codes @ self.dictionary.T
        slopes = residuals @ self.dictionary
        shortening = self._shortening(slopes)
        slack = self.penalty * np.abs(codes) - shortening * codes * slopes
        shortened = (1 - shortening) * residuals
        return 0.5 * (shortened**2).sum(1) + np.maximum(slack, 0).sum(1)

    def _shortening(self, slopes: np.ndarray) -> np.ndarray:
        """Return s = min(1, λ / ‖Dᵀr‖∞) (N, 1)."""
        largest = np.abs(slopes).max(1, keepdims=True)
        return self.penalty / np.maximum(largest, self.penalty or 1.0)

    def _checked(self, signals: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        signals = self.as_signals(signals)
        return signals, as_array(codes, "codes", (len(signals), self.dictionary.shape[1]))


def _check_atoms(dictionary: np.ndarray) -> None:
    if not dictionary.size:
        raise ShapeError("no atoms", where="dictionary", got=dictionary.shape, expected="(m, K)")
    lengths = np.linalg.norm(dictionary, axis=0)
    shortest = int(lengths.argmin())
    if lengths[shortest] < 1 / LARGEST:
        raise DataError(
            "a zero atom codes nothing",
            where=f"dictionary[:, {shortest}]",
            got=f"length {lengths[shortest]:g}",
            expected=f"at least {1 / LARGEST:g}",
            hint="leave the atom out or draw it anew",
        )
