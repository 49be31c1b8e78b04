"""Rows change places as long as pruning by blocks then removes less."""

from __future__ import annotations

import numpy as np

from gossamer.compress.blocks.assignment import best_blocks, kept_magnitude
from gossamer.compress.blocks.bins import best_apart, bin_sums

_MOST_WORK = 2 * 10**8


def swap(
    magnitudes: np.ndarray,
    order: np.ndarray,
    sizes: np.ndarray,
    sparsity: float,
    *,
    rounds: int = 30,
) -> np.ndarray:
    """Improve an order of rows by exchanging pairs; it never keeps less magnitude than before.

    What an exchange brings is known for all pairs as long as the least mean of a kept block is what
    it was. The best exchanges without a common bin take place, then only the best one, and it ends
    when that does not keep more.

    Source: Ji et al., "TETRIS: TilE-matching the TRemendous Irregular Sparsity", 2018. Their gains
    hold as long as the chosen blocks are what they were.

    Args:
        magnitudes: (n, M) of the weights, ≥ 0. Where n²·M is large, some columns stand for all.
        order: (n,) to begin with.
        sizes: of the bins, (bins,); they sum up to n.
        sparsity: fraction of blocks to prune, 0 ≤ s < 1.
        rounds: at most.

    Examples:
        >>> rows = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 1.0], [0.0, 6.0]])
        >>> kept_magnitude(rows[swap(rows, np.arange(4), np.array([2, 2]), 0.5)], [2, 2], 0.5)
        0.9375
    """
    bins = np.repeat(np.arange(len(sizes)), sizes)
    most = kept_magnitude(magnitudes[order], sizes, sparsity)
    for _ in range(rounds):
        pairs = best_apart(_gains(magnitudes[order], bins, sizes, sparsity), bins)
        for some in (pairs, pairs[:1]):
            attempt = order.copy()
            attempt[some] = order[some[:, ::-1]]
            kept = kept_magnitude(magnitudes[attempt], sizes, sparsity)
            if kept > most * (1 + 1e-9):
                break
        else:
            break
        order, most = attempt, kept
    return order


def _gains(rows: np.ndarray, bins: np.ndarray, sizes: np.ndarray, sparsity: float) -> np.ndarray:
    """Return (n, n): what exchanging two rows adds to the kept magnitude, above the threshold."""
    step = max(1, -(-rows.shape[1] * len(rows) ** 2 // _MOST_WORK))
    kept = best_blocks(rows, sizes, sparsity)
    threshold = (bin_sums(rows, sizes) / sizes[:, None])[kept].min()
    rows = rows[:, ::step]
    above = bin_sums(rows, sizes) - threshold * sizes[:, None]
    worth = np.maximum(above, 0).sum(1)
    gains = np.zeros((len(rows), len(rows)))
    for row in range(len(rows)):
        later = np.flatnonzero(bins > bins[row])
        change = rows[later] - rows[row]
        ours = np.maximum(above[bins[row]] + change, 0).sum(1)
        theirs = np.maximum(above[bins[later]] - change, 0).sum(1)
        gains[row, later] = ours + theirs - worth[bins[row]] - worth[bins[later]]
    return gains
