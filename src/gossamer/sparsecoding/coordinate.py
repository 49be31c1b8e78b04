"""Coordinate descent: one atom after the other, each at its best while the others stay."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gossamer.sparsecoding.coder import SparseCodes, Stop
from gossamer.sparsecoding.iterate import State, iterate
from gossamer.sparsecoding.lasso import Lasso, soft_threshold


@dataclass(frozen=True)
class CoordinateDescent:
    """Cyclic coordinate descent on the Gram matrix, for all signals at once.

    With the slopes q = Dᵀ(x − Dα), an atom's best code is S(qₖ + Gₖₖαₖ, λ) / Gₖₖ, and a change of
    it moves the slopes by a row of G. Only signals whose code changes pay for that.

    Source: Friedman, Hastie & Tibshirani, "Regularization paths for generalized linear models via
    coordinate descent", 2010, section 2.2, the covariance updates. An iteration is a sweep over all
    atoms.

    Examples:
        >>> found = CoordinateDescent()(Lasso(np.eye(2), penalty=1.0), np.array([[3.0, 0.5]]))
        >>> found.codes, found.iterations
        (array([[2., 0.]]), array([1]))
    """

    stop: Stop = field(default_factory=Stop)

    def __call__(self, lasso: Lasso, signals: np.ndarray) -> SparseCodes:
        """Return the codes of signals (N, m)."""
        signals = lasso.as_signals(signals)
        gram, curvatures = lasso.gram, np.diag(lasso.gram)

        def sweep(codes: np.ndarray, slopes: np.ndarray) -> State:
            for atom, curvature in enumerate(curvatures):
                old = codes[:, atom]
                best = soft_threshold(slopes[:, atom] + curvature * old, lasso.penalty) / curvature
                change = best - old
                changed = np.flatnonzero(change)
                slopes[changed] -= change[changed, None] * gram[atom]
                codes[:, atom] = best
            return codes, slopes

        slopes = signals @ lasso.dictionary
        state = (np.zeros_like(slopes), slopes)
        return iterate(lasso, signals, state, sweep, self.stop, check_every=1)
