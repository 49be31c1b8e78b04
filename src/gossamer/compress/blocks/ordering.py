"""What an ordering is: where to begin, how to go on, and what for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_MOST_COLUMNS = 8192


@dataclass(frozen=True)
class Ordering:
    """A way to order rows that gives none worse than the order that they have.

    Args:
        start: (magnitudes, sizes, sparsity, seed) → order to begin with.
        improve: (magnitudes, order, sizes, sparsity) → a better one.
        worth: (magnitudes in their order, sizes, sparsity) → what is to be large.
    """

    start: Callable[[np.ndarray, np.ndarray, float, int], np.ndarray]
    improve: Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]
    worth: Callable[[np.ndarray, np.ndarray, float], float]

    def __call__(
        self, magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float = 0.0, seed: int = 0
    ) -> np.ndarray:
        """Return an order; the one that the rows have, unless another one is better.

        Args:
            magnitudes: (n, M) of the weights, ≥ 0. Of very wide rows so many columns are looked at
                as make a good estimate, but the result is judged by all.
            sizes: of the bins, (bins,); they sum up to n.
            sparsity: fraction of blocks to be pruned, 0 ≤ s < 1.
            seed: of what is drawn.

        Returns:
            (n,) numbers of rows.
        """
        seen, present = _some_columns(magnitudes, seed), np.arange(len(magnitudes))
        starts = (present, self.start(seen, sizes, sparsity, seed))
        ends = [self.improve(seen, start, sizes, sparsity) for start in starts]
        return max(
            (present, *ends), key=lambda order: self.worth(magnitudes[order], sizes, sparsity)
        )


def _some_columns(magnitudes: np.ndarray, seed: int) -> np.ndarray:
    width = magnitudes.shape[1]
    if width <= _MOST_COLUMNS:
        return magnitudes
    chosen = np.random.default_rng(seed).choice(width, _MOST_COLUMNS, replace=False)
    return magnitudes[:, np.sort(chosen)]
