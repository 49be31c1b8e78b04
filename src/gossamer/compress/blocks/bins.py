"""Rows in bins: what an order of rows puts together, and how many blocks that touches.

Bins are runs of neighbouring rows that a kernel computes at once. A block is one column of one bin;
it is read if any of its entries is not zero.
"""

from __future__ import annotations

import numpy as np


def bin_sizes(count: int, height: int) -> np.ndarray:
    """Return the sizes of the bins of rows, (bins,): all of one height but the last.

    Examples:
        >>> bin_sizes(10, 4)
        array([4, 4, 2])
    """
    return np.diff(np.append(np.arange(0, count, height), count))


def bin_sums(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the sum of the rows of each bin, (bins, M) of (n, M)."""
    return np.add.reduceat(rows, np.cumsum(sizes) - sizes, axis=0)


def touched_blocks(rows: np.ndarray, sizes: np.ndarray) -> int:
    """Return how many blocks hold a nonzero.

    Args:
        rows: (n, M), in their order.
        sizes: of the bins; they sum up to n.

    Examples:
        >>> rows = np.array([[1, 0, 2], [0, 0, 3], [0, 4, 0]])
        >>> touched_blocks(rows, bin_sizes(3, 2))
        3
    """
    return int(np.count_nonzero(bin_sums((rows != 0).astype(np.int64), sizes)))


def best_apart(savings: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return exchanges that save something and have no bin in common, the best ones first.

    Args:
        savings: (n, n) of exchanging two rows; of each pair one entry counts.
        bins: (n,) the bin of each row.

    Returns:
        (p, 2) pairs of rows.

    Examples:
        >>> savings = np.array([[0, 0, 1, 3], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
        >>> best_apart(savings, np.array([0, 0, 1, 1]))
        array([[0, 3]])
    """
    found = np.flatnonzero(savings > 0)
    found = found[np.argsort(-savings.ravel()[found], kind="stable")]
    used: set[int] = set()
    pairs = []
    for pair in np.stack(np.unravel_index(found, savings.shape), axis=1):
        touched = {int(bins[pair[0]]), int(bins[pair[1]])}
        if not used & touched:
            pairs.append(pair)
            used |= touched
    return np.array(pairs, np.int64).reshape(-1, 2)
