"""The locally competitive algorithm: neurons that inhibit each other until they agree."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gossamer.errors import SpecError
from gossamer.sparsecoding.arrays import as_number
from gossamer.sparsecoding.coder import SparseCodes, Stop
from gossamer.sparsecoding.iterate import State, iterate
from gossamer.sparsecoding.lasso import Lasso, soft_threshold


@dataclass(frozen=True)
class LocallyCompetitive:
    """u ← u + (Dᵀx − u − (G − I)a) / τ, where the codes a = S(u, λ) are what neurons tell others.

    Where it rests, u − a = Dᵀ(x − Da), and u − a is within ±λ and equal to λ·sgn(a) where a is not
    0: the optimality conditions of the lasso.

    Source: Rozell, Johnson, Baraniuk & Olshausen, "Sparse coding via thresholding and local
    competition in neural circuits", 2008, section 3, in Euler steps. They take atoms of
    length 1; others are scaled here so that the longest has it, together with λ. An iteration is
    one step.

    Args:
        time_constant: τ, in steps; above half the largest eigenvalue of the scaled Gram matrix,
            from where on the steps do not overshoot. That eigenvalue itself unless given.
        stop: when to end.

    Raises:
        SpecError: the time constant is too short, which is known when it is called.

    Examples:
        >>> found = LocallyCompetitive()(Lasso(np.eye(2), penalty=1.0), np.array([[3.0, 0.5]]))
        >>> found.codes, found.converged
        (array([[2., 0.]]), array([ True]))
    """

    time_constant: float | None = None
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        if self.time_constant is not None:
            as_number(self.time_constant, "time_constant")

    def __call__(self, lasso: Lasso, signals: np.ndarray) -> SparseCodes:
        """Return the codes of signals (N, m)."""
        signals = lasso.as_signals(signals)
        scale = np.diag(lasso.gram).max()
        rate = 1 / self._steps(float(lasso.curvature / scale))
        competition = lasso.gram / scale - np.eye(len(lasso.gram))
        threshold = lasso.penalty / scale

        def step(codes: np.ndarray, potentials: np.ndarray, drive: np.ndarray) -> State:
            potentials = potentials + rate * (drive - potentials - codes @ competition)
            return soft_threshold(potentials, threshold), potentials, drive

        drive = signals @ lasso.dictionary / scale
        nothing = np.zeros_like(drive)
        return iterate(lasso, signals, (nothing, nothing, drive), step, self.stop)

    def _steps(self, largest: float) -> float:
        """Return τ, given the largest eigenvalue of the scaled Gram matrix, which is ≥ 1."""
        if self.time_constant is None:
            return largest
        if self.time_constant <= largest / 2:
            raise SpecError(
                "the steps would overshoot",
                where="time_constant",
                got=self.time_constant,
                expected=f"more than {largest / 2:.4g} for this dictionary",
            )
        return self.time_constant
