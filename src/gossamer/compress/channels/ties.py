"""Labels of channels, and which of them can only be removed together."""

from __future__ import annotations

import numpy as np


class Ties:
    """A union-find over labels 1, 2, …; label 0 stands for "no channel" and is never tied.

    Examples:
        >>> ties = Ties()
        >>> first, second = ties.fresh(2), ties.fresh(2)
        >>> ties.tie(first, second)
        >>> first.tolist(), ties.roots(second).tolist()
        ([1, 2], [1, 2])
    """

    def __init__(self) -> None:
        self._parent = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self._parent)

    def fresh(self, count: int) -> np.ndarray:
        """Return `count` new labels."""
        labels = np.arange(len(self._parent), len(self._parent) + count)
        self._parent = np.concatenate([self._parent, labels])
        return labels

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """Tie labels of two arrays of one shape, entry by entry."""
        first, second = first.ravel(), second.ravel()
        while True:
            a, b = self.roots(first), self.roots(second)
            apart = a != b
            if not apart.any():
                return
            first, second = a[apart], b[apart]
            # Of several wishes for one root the last one counts; the loop sees to the others.
            self._parent[np.maximum(first, second)] = np.minimum(first, second)

    def roots(self, labels: np.ndarray) -> np.ndarray:
        """Return for each label the one that stands for all that are tied to it."""
        found = self._parent[labels]
        while True:
            above = self._parent[found]
            if np.array_equal(above, found):
                self._parent[labels] = found
                return found
            found = above

    def copy(self) -> Ties:
        """Return a copy to try something on."""
        other = Ties()
        other._parent = self._parent.copy()
        return other
