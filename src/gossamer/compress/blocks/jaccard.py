"""Rows with nonzeros at the same places together: greedy grouping by the Jaccard index."""

from __future__ import annotations

import numpy as np


def group_rows(mask: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return an order of rows in which the rows of each bin overlap.

    Bins are filled one after the other. A bin begins with the fullest row that is left, and takes
    in turn the row whose nonzeros have the largest share in common with all that are in it:
    |row ∩ bin| / |row ∪ bin|.

    Source: Sylos Labini et al., "Blocking Sparse Matrices to Leverage Dense-Specific
    Multiplication", 2022 (1-SA). They put together what is more alike than a threshold, and bins
    are as high as that makes them; here a kernel says how high, and the likest rows fill them.

    Args:
        mask: (n, M) bool.
        sizes: of the bins, (bins,); they sum up to n.

    Returns:
        (n,) numbers of rows.

    Examples:
        >>> mask = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]], bool)
        >>> group_rows(mask, np.array([2, 2]))
        array([0, 2, 1, 3])
    """
    rows = mask.astype(np.float32)
    counts = rows.sum(1)
    free = np.ones(len(rows), bool)
    order: list[int] = []
    for size in sizes:
        first = int(np.argmax(np.where(free, counts, -1)))
        union = _take(first, rows, free, order, np.zeros(rows.shape[1], np.float32))
        for _ in range(int(size) - 1):
            common = rows @ union
            index = common / np.maximum(counts + union.sum() - common, 1)
            union = _take(int(np.argmax(np.where(free, index, -1))), rows, free, order, union)
    return np.array(order)


def _take(
    row: int, rows: np.ndarray, free: np.ndarray, order: list[int], union: np.ndarray
) -> np.ndarray:
    """Put a row into the order and return what its bin then covers."""
    free[row] = False
    order.append(row)
    return np.maximum(union, rows[row])
