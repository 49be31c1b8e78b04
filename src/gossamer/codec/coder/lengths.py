"""Optimal prefix-code lengths under a limit: package-merge (Larmore and Hirschberg 1990)."""

from __future__ import annotations

import numpy as np


def code_lengths(counts: np.ndarray, limit: int) -> np.ndarray:
    """Return the code lengths that cost the fewest bits among those of at most `limit` bits.

    Level by level, the cheapest items are packed in pairs and merged with the symbols; what the
    2n − 2 cheapest items of the last level hold says how long each code is. Instead of keeping the
    contents of packages, each level keeps which of its items are symbols: the symbols among the
    first items are always the rarest ones, so that counting them is enough.

    Args:
        counts: (alphabet,) occurrences; symbols that do not occur get length 0.
        limit: in bits, at least log₂ of the number of symbols that occur.

    Returns:
        (alphabet,) int64; 0 for the symbol of an alphabet that has only one.

    Examples:
        >>> code_lengths(np.array([8, 4, 1, 1, 0]), 16).tolist()
        [1, 2, 3, 3, 0]
        >>> code_lengths(np.array([8, 4, 1, 1, 0]), 2).tolist()
        [2, 2, 2, 2, 0]
    """
    lengths = np.zeros(len(counts), np.int64)
    used = np.flatnonzero(counts)
    if len(used) < 2:
        return lengths
    assert len(used) <= 2**limit
    order = used[np.argsort(counts[used], kind="stable")]
    weights = counts[order].astype(np.int64)
    levels = _symbols_in_levels(weights, limit)
    sorted_lengths = np.zeros(len(used), np.int64)
    taken = 2 * len(used) - 2
    for is_symbol in reversed(levels):
        symbols = int(is_symbol[:taken].sum())
        sorted_lengths[:symbols] += 1
        taken = 2 * (taken - symbols)
    lengths[order] = sorted_lengths
    return lengths


def _symbols_in_levels(weights: np.ndarray, limit: int) -> list[np.ndarray]:
    """Return for each level which of its items, cheapest first, are symbols and not packages."""
    items = weights
    levels = [np.ones(len(weights), bool)]
    for _ in range(limit - 1):
        packages = items[: len(items) // 2 * 2].reshape(-1, 2).sum(axis=1)
        both = np.concatenate([weights, packages])
        order = np.argsort(both, kind="stable")
        levels.append(order < len(weights))
        items = both[order]
    return levels
