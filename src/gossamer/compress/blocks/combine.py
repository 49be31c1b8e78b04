"""Column combining: sparse columns that hardly meet share one dense column."""

from __future__ import annotations

import numpy as np


def combine_columns(
    mask: np.ndarray, *, most: int = 8, conflicts: float = 1.75, section: int = 256
) -> np.ndarray:
    """Return for each column the group that it is combined in.

    Groups begin as single columns that are not empty. Of all pairs that may be combined, the one
    with the fewest rows that are empty in both is, until none may be. A conflict is a nonzero too
    many in a row of a group.

    Source: Kung, McDanel & Zhang, "Packing Sparse Convolutional Neural Networks for Efficient
    Systolic Array Implementations: Column Combining Under Joint Optimization", 2019, with the rule
    of their published code.

    Args:
        mask: (K, M) bool.
        most: columns of a group, ≥ 1 (their α).
        conflicts: of a group at most, on average over its rows, ≥ 0 (their γ).
        section: columns that are looked at together.

    Returns:
        (M,) numbers of groups, 0… densely; −1 for empty columns.

    Examples:
        >>> mask = np.array([[1, 0, 1, 0], [0, 1, 1, 0]], bool)
        >>> combine_columns(mask, most=2, conflicts=0.0)
        array([ 0,  0,  1, -1])
    """
    groups = np.full(mask.shape[1], -1)
    for start in range(0, mask.shape[1], section):
        places = start + np.flatnonzero(mask[:, start : start + section].any(0))
        made = _combine(mask[:, places].T.astype(np.float32), most, conflicts)
        groups[places] = made + groups.max(initial=-1) + 1
    return groups


def keep_largest(magnitudes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the mask (K, M) that keeps in each row of each group the largest entry, if not zero.

    Args:
        magnitudes: (K, M), ≥ 0.
        groups: (M,) numbers from `combine_columns`.

    Examples:
        >>> keep_largest(np.array([[1.0, 3.0, 2.0]]), np.array([0, 0, 1]))
        array([[False,  True,  True]])
    """
    kept = np.zeros(magnitudes.shape, bool)
    for group in range(groups.max(initial=-1) + 1):
        columns = np.flatnonzero(groups == group)
        kept[np.arange(len(kept)), columns[np.argmax(magnitudes[:, columns], axis=1)]] = True
    return kept & (magnitudes > 0)


def _combine(filled: np.ndarray, most: int, conflicts: float) -> np.ndarray:
    """Return the group of each of some columns (n, K)."""
    rows, group = filled.shape[1], np.arange(len(filled))
    filled, sizes, clashes = filled.copy(), np.ones(len(filled)), np.zeros(len(filled))
    both = filled @ filled.T
    while len(filled) > 1:
        used = np.diagonal(both)
        clash = clashes[:, None] + clashes[None, :] + both
        fits = (clash <= conflicts * rows) & (sizes[:, None] + sizes[None, :] <= most)
        np.fill_diagonal(fits, False)
        if not fits.any():
            break
        empty = np.where(fits, rows - used[:, None] - used[None, :] + both, np.inf)
        first, second = sorted(np.unravel_index(int(np.argmin(empty)), empty.shape))
        clashes[first] = clash[first, second]
        sizes[first] += sizes[second]
        filled[first] = np.maximum(filled[first], filled[second])
        both[first] = both[:, first] = filled @ filled[first]
        both = np.delete(np.delete(both, second, 0), second, 1)
        filled, sizes, clashes = (np.delete(part, second, 0) for part in (filled, sizes, clashes))
        group[group == second] = first
        group[group > second] -= 1
    return group
