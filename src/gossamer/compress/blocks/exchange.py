"""Rows change places as long as that leaves fewer blocks to read."""

from __future__ import annotations

import numpy as np

from gossamer.compress.blocks.bins import best_apart, bin_sums


def exchange(
    mask: np.ndarray, order: np.ndarray, sizes: np.ndarray, *, rounds: int = 100
) -> np.ndarray:
    """Improve an order of rows by exchanging pairs; it never touches more blocks than before.

    What an exchange saves is known exactly for all pairs at once, from products of matrices. In
    each round the best exchanges take place that have no bin in common, so that their savings add.

    Args:
        mask: (n, M) bool.
        order: (n,) to begin with.
        sizes: of the bins, (bins,); they sum up to n.
        rounds: at most.

    Examples:
        >>> mask = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]], bool)
        >>> sorted(exchange(mask, np.arange(4), np.array([2, 2]))[:2].tolist())
        [1, 3]
    """
    bins = np.repeat(np.arange(len(sizes)), sizes)
    order = order.copy()
    rows = mask[order].astype(np.float32)
    for _ in range(rounds):
        pairs = best_apart(_savings(rows, bins, sizes), bins)
        if not len(pairs):
            break
        first, second = pairs.T
        order[np.r_[first, second]] = order[np.r_[second, first]]
        rows[np.r_[first, second]] = rows[np.r_[second, first]]
    return order


def _savings(rows: np.ndarray, bins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (n, n): the blocks that exchanging two rows saves.

    A row that leaves frees the columns where it is alone in its bin, and touches those of the other
    bin that are free, or that only the other row of the pair held.
    """
    counts = bin_sums(rows, sizes)
    alone = rows * (counts[bins] == 1)
    freed = alone.sum(1)
    entered = (rows @ (counts == 0).T.astype(np.float32))[:, bins] + rows @ alone.T
    savings = freed[:, None] + freed[None, :] - entered - entered.T
    savings[bins[:, None] >= bins[None, :]] = 0  # each pair once, and none within a bin
    return savings
