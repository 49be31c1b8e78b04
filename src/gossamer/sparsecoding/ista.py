"""Proximal gradient steps: ISTA, and FISTA, which looks ahead."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gossamer.sparsecoding.coder import SparseCodes, Stop
from gossamer.sparsecoding.iterate import State, iterate
from gossamer.sparsecoding.lasso import Lasso, soft_threshold


@dataclass(frozen=True)
class Ista:
    """Iterative shrinkage and thresholding: a gradient step of length 1/L, then the threshold.

    Source: Daubechies, Defrise & De Mol, "An iterative thresholding algorithm for linear inverse
    problems with a sparsity constraint", 2004. An iteration is one step.

    Examples:
        >>> found = Ista()(Lasso(np.eye(2), penalty=1.0), np.array([[3.0, 0.5]]))
        >>> found.codes, found.converged
        (array([[2., 0.]]), array([ True]))
    """

    stop: Stop = field(default_factory=Stop)

    def __call__(self, lasso: Lasso, signals: np.ndarray) -> SparseCodes:
        """Return the codes of signals (N, m)."""
        signals = lasso.as_signals(signals)
        filters, inhibition, threshold = lasso.gradient_step
        drive = signals @ filters

        def step(codes: np.ndarray, drive: np.ndarray) -> State:
            return soft_threshold(drive + codes @ inhibition, threshold), drive

        return iterate(lasso, signals, (np.zeros_like(drive), drive), step, self.stop)


@dataclass(frozen=True)
class Fista:
    """ISTA from a point ahead of the last codes, in the direction in which they moved.

    Where the step from there turns back, (y − α')ᵀ(α' − α) > 0, a signal loses its momentum.

    Source: Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009, section 4;
    the restart is the gradient scheme of O'Donoghue & Candès, "Adaptive restart for accelerated
    gradient schemes", 2015, here for each signal by itself. An iteration is one step.

    Examples:
        >>> found = Fista()(Lasso(np.eye(2), penalty=1.0), np.array([[3.0, 0.5]]))
        >>> found.codes, found.converged
        (array([[2., 0.]]), array([ True]))
    """

    stop: Stop = field(default_factory=Stop)

    def __call__(self, lasso: Lasso, signals: np.ndarray) -> SparseCodes:
        """Return the codes of signals (N, m)."""
        signals = lasso.as_signals(signals)
        filters, inhibition, threshold = lasso.gradient_step
        drive = signals @ filters

        def step(
            codes: np.ndarray, ahead: np.ndarray, pace: np.ndarray, drive: np.ndarray
        ) -> State:
            moved = soft_threshold(drive + ahead @ inhibition, threshold)
            move = moved - codes
            back = ((ahead - moved) * move).sum(1, keepdims=True) > 0
            following = (1 + np.sqrt(1 + 4 * pace**2)) / 2
            momentum = np.where(back, 0.0, (pace - 1) / following)
            return moved, moved + momentum * move, np.where(back, 1.0, following), drive

        nothing = np.zeros_like(drive)
        state = (nothing, nothing, np.ones((len(signals), 1)), drive)
        return iterate(lasso, signals, state, step, self.stop)
