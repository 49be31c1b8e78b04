"""What levels will cost, guessed from levels like those that will be coded.

The mixing coder expects of a level the magnitude that its filter, its channel and its tap suggest
(docs/design/0020). Here, levels are sorted by that expectation into classes, and each class has the
price of every level: its information content among the class's levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CLASSES = 8
_CLASS_ENTRIES = 256
_PRIOR = 4.0


@dataclass(frozen=True, eq=False)
class Prices:
    """Bits of levels.

    Args:
        table: (classes, 2 · largest + 1), bits of the levels −largest … largest.
        classes: the class of each entry, of the tensor's shape.
    """

    table: np.ndarray
    classes: np.ndarray

    @property
    def largest(self) -> int:
        """The largest level that has a price."""
        return self.table.shape[1] // 2

    def total(self, levels: np.ndarray) -> float:
        """Return the bits of all levels together."""
        return float(self.table[self.classes, levels + self.largest].sum())


def prices_of(
    levels: np.ndarray, shape: tuple[int, ...], largest: int, *, told: bool = False
) -> Prices:
    """Return prices from levels of the tensor.

    Args:
        levels: integers (…), as many as the tensor has.
        shape: (K, C, …) of the tensor.
        largest: magnitude that a level may have.
        told: whether a level's lowest bit is known (`gossamer.codec.parity`) and costs nothing.

    Examples:
        >>> prices = prices_of(np.array([0, 0, 0, 0, 0, 0, 1, 0]), (2, 4), 2)
        >>> [round(float(bits), 1) for bits in prices.table[0]]
        [7.6, 4.8, 0.3, 3.1, 7.6]
    """
    expected = _expectation(np.abs(levels).reshape(*shape[:2], -1)).reshape(levels.shape)
    count = max(1, min(_CLASSES, levels.size // _CLASS_ENTRIES))
    classes = np.empty(levels.size, np.intp)
    classes[np.argsort(expected, axis=None, kind="stable")] = np.arange(levels.size)
    classes = (classes * count // levels.size).reshape(levels.shape)
    tables = np.stack([_table(levels[classes == index], largest) for index in range(count)])
    for parity in (0, 1) if told else ():
        alike = tables[:, (largest + parity) % 2 :: 2]
        alike += np.log2(np.exp2(-alike).sum(axis=1, keepdims=True))
    return Prices(tables, classes)


def _expectation(magnitudes: np.ndarray) -> np.ndarray:
    """Return filter × channel × tap means of (K, C, taps), each drawn a little to the mean."""
    mean = magnitudes.mean() + 1e-9
    result = np.ones(1)
    for axes in ((1, 2), (0, 2), (0, 1)):
        entries = np.prod([magnitudes.shape[axis] for axis in axes])
        part = magnitudes.sum(axis=axes, keepdims=True) + 6 * mean
        result = result * part / ((entries + 6) * mean)
    return result * mean


def _table(levels: np.ndarray, largest: int) -> np.ndarray:
    """Return bits of −largest … largest; where few or none were seen, a two-sided geometric law."""
    counts = np.bincount(levels.ravel() + largest, minlength=2 * largest + 1).astype(np.float64)
    mean = (np.abs(levels).sum() + 0.5) / (levels.size + 1)
    decay = mean / (mean + 1)
    law = decay ** np.abs(np.arange(-largest, largest + 1)) + 1e-12
    share = (counts + _PRIOR * law / law.sum()) / (levels.size + _PRIOR)
    return -np.log2(share)
