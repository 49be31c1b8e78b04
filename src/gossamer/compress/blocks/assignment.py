"""The order of rows in which pruning whole blocks removes least."""

from __future__ import annotations

import numpy as np

from gossamer.compress.blocks.bins import bin_sums


def kept_magnitude(magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float) -> float:
    """Return the share of all magnitude that is left when the least blocks are pruned, 0…1.

    Args:
        magnitudes: (n, M) of the weights, ≥ 0, rows in their order.
        sizes: of the bins, (bins,); they sum up to n.
        sparsity: fraction of blocks to prune, 0 ≤ s < 1.

    Examples:
        >>> rows = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 1.0], [0.0, 6.0]])
        >>> sizes = np.array([2, 2])
        >>> kept_magnitude(rows, sizes, 0.5), kept_magnitude(rows[[0, 2, 1, 3]], sizes, 0.5)
        (0.625, 0.9375)
    """
    total = float(magnitudes.sum())
    kept = bin_sums(magnitudes, sizes)[best_blocks(magnitudes, sizes, sparsity)]
    return float(kept.sum()) / total if total else 1.0


def best_blocks(magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float) -> np.ndarray:
    """Return (bins, M) bool: the blocks of largest mean magnitude, one at least, ties in order."""
    means = bin_sums(magnitudes, sizes) / np.asarray(sizes)[:, None]
    count = max(means.size - round(sparsity * means.size), 1)
    mask = np.zeros(means.size, bool)
    mask[np.argsort(-means.ravel(), kind="stable")[:count]] = True
    return mask.reshape(means.shape)


def assign(
    magnitudes: np.ndarray,
    order: np.ndarray,
    sizes: np.ndarray,
    sparsity: float,
    *,
    rounds: int = 50,
) -> np.ndarray:
    """Improve an order of rows for pruning by blocks; it never keeps less magnitude than before.

    In turn the best blocks are chosen for the order, and the best order for the blocks: what each
    row would keep in each bin is known, and the Hungarian method finds the best of all exchanges at
    once.

    Source: Ji et al., "TETRIS: TilE-matching the TRemendous Irregular Sparsity", 2018. They
    exchange pairs; the assignment that they strive for is solved here.

    Args:
        magnitudes: (n, M) of the weights, ≥ 0.
        order: (n,) to begin with.
        sizes: of the bins, (bins,); they sum up to n.
        sparsity: fraction of blocks to prune, 0 ≤ s < 1.
        rounds: at most.

    Examples:
        >>> rows = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 1.0], [0.0, 6.0]])
        >>> assign(rows, np.arange(4), np.array([2, 2]), 0.5)
        array([0, 2, 1, 3])
    """
    from scipy.optimize import linear_sum_assignment

    bins = np.repeat(np.arange(len(sizes)), sizes)
    best, most = order, kept_magnitude(magnitudes[order], sizes, sparsity)
    for _ in range(rounds):
        chosen = best_blocks(magnitudes[best], sizes, sparsity)
        worth = magnitudes @ chosen.T.astype(magnitudes.dtype)
        rows, places = linear_sum_assignment(-worth[:, bins])
        attempt = rows[np.argsort(places)]
        kept = kept_magnitude(magnitudes[attempt], sizes, sparsity)
        if kept <= most * (1 + 1e-9):
            break
        best, most = attempt, kept
    return best
