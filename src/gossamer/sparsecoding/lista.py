"""ISTA unrolled into a network of a fixed number of layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.errors import ShapeError, SpecError
from gossamer.sparsecoding.arrays import as_array, as_count
from gossamer.sparsecoding.lasso import Lasso, soft_threshold


@dataclass(frozen=True, eq=False)
class Lista:
    """Approximate codes in a fixed number of steps, whose weights can be learned.

    The first layer is z = h(x · filters), each other one z ← h(x · filters + z · inhibition), with
    the soft threshold h; all layers share their weights.

    Source: Gregor & LeCun, "Learning fast approximations of sparse coding", 2010, section 3. The
    weights here are transposes of theirs, because signals are rows; what they call T layers after
    the first one is T + 1 here.

    Args:
        filters: (m, K), applied to signals.
        inhibition: (K, K), applied to the codes of the layer before.
        thresholds: (K,), ≥ 0.
        layers: ≥ 1.

    Raises:
        ShapeError: the arrays do not fit each other.
        DataError: an entry is not finite.
        SpecError: a threshold is below 0, or there are no layers.
    """

    filters: np.ndarray
    inhibition: np.ndarray
    thresholds: np.ndarray
    layers: int

    def __post_init__(self) -> None:
        filters = as_array(self.filters, "filters", ("m", "K"))
        atoms = filters.shape[1]
        inhibition = as_array(self.inhibition, "inhibition", (atoms, atoms))
        thresholds = as_array(self.thresholds, "thresholds", (atoms,))
        if not filters.size:
            raise ShapeError("no atoms", where="filters", got=filters.shape, expected="(m, K)")
        if (thresholds < 0).any():
            raise SpecError("below 0", where="thresholds", got=thresholds.min(), expected="≥ 0")
        as_count(self.layers, "layers")
        object.__setattr__(self, "filters", filters)
        object.__setattr__(self, "inhibition", inhibition)
        object.__setattr__(self, "thresholds", thresholds)

    @classmethod
    def from_dictionary(cls, dictionary: np.ndarray, penalty: float, layers: int) -> Lista:
        """Return the network to start learning from: as many steps of ISTA as it has layers.

        Args:
            dictionary: D (m, K).
            penalty: λ ≥ 0.
            layers: ≥ 1.

        Examples:
            >>> Lista.from_dictionary(np.eye(2), 1.0, layers=3)([[3.0, 0.5]])
            array([[2., 0.]])
        """
        filters, inhibition, threshold = Lasso(dictionary, penalty).gradient_step
        return cls(filters, inhibition, np.full(len(inhibition), threshold), layers)

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Return codes (N, K) of signals (N, m)."""
        drive = as_array(signals, "signals", ("N", len(self.filters))) @ self.filters
        codes = soft_threshold(drive, self.thresholds)
        for _ in range(self.layers - 1):
            codes = soft_threshold(drive + codes @ self.inhibition, self.thresholds)
        return codes
