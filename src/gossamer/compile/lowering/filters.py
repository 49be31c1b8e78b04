"""The filters of a convolution as a matrix that is asked for as its nonzeros, or densely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Self

import numpy as np

from gossamer.graph.layouts import Codebook, Layout, Sparse


@dataclass(frozen=True, eq=False)
class Entries:
    """The nonzeros of a matrix, row by row, and by tap within a row; or runs of them.

    Args:
        taps: (n,) column of each; of runs the first one's.
        values: (n,) float32; of runs (n, length), maybe with zeros.
        starts: (K + 1,) where each row begins.
    """

    taps: np.ndarray
    values: np.ndarray
    starts: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """(n,) row of each."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


class Filters:
    """A (K, taps) float32 matrix, held as its nonzeros or densely; the other form when asked for.

    Args:
        shape: (K, taps).
        held: one of the two.
    """

    def __init__(self, shape: tuple[int, int], held: Entries | np.ndarray) -> None:
        self.shape = shape
        self._held = held

    @classmethod
    def of(cls, layout: Layout, order: np.ndarray, scale: np.ndarray | None = None) -> Self:
        """Return a (K, C/G, R, S) weight.

        Args:
            layout: of the weight.
            order: (taps,) which of the (C/G, R, S) entries of a filter each tap is.
            scale: (K,) to multiply the rows by.
        """
        shape = layout.shape[0], prod(layout.shape[1:])
        is_ordered = bool((order[1:] > order[:-1]).all())
        if isinstance(layout, Sparse | Codebook):
            values = layout.values if isinstance(layout, Sparse) else _values(layout)
            rows, taps = _split(layout.positions, shape[1])
            if not is_ordered:
                rows, taps, values = _reorder(rows, taps, values, order)
            if scale is not None:
                values = values * scale[rows]
            return cls(shape, _entries(shape[0], rows, taps, values))
        dense = layout.to_dense().reshape(shape)
        if scale is not None:
            dense = dense * scale[:, None]
        return cls(shape, dense if is_ordered else dense[:, order])

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """The number of entries, zeros included."""
        return prod(self.shape)

    @cached_property
    def counts(self) -> np.ndarray:
        """(K,) nonzeros of each row."""
        if isinstance(self._held, Entries):
            return np.diff(self._held.starts)
        return np.count_nonzero(self._held, axis=1)

    @cached_property
    def nonzeros(self) -> int:
        """The number of entries that are not zero."""
        return int(self.counts.sum())

    @cached_property
    def entries(self) -> Entries:
        """The nonzeros."""
        if isinstance(self._held, Entries):
            return self._held
        positions = np.flatnonzero(self._held)
        rows, taps = _split(positions, self.shape[1])
        return _entries(len(self), rows, taps, self._held.ravel()[positions])

    @cached_property
    def dense(self) -> np.ndarray:
        """(K, taps) float32."""
        if not isinstance(self._held, Entries):
            return self._held
        dense = np.zeros(self.shape, np.float32)
        dense[self._held.rows, self._held.taps] = self._held.values
        return dense

    def shared_taps(self, count: int) -> int:
        """Return the taps where some row is not zero, summed over groups of `count` rows."""
        if count == 1:
            return self.nonzeros
        if count % 2:
            return int(np.count_nonzero(_together(self._used(1), count)))
        return int(np.count_nonzero(_together(self._pairs, count // 2)))

    @cached_property
    def _pairs(self) -> np.ndarray:
        return self._used(2)

    def _used(self, count: int) -> np.ndarray:
        """Return (groups, taps) bool: where some row of each group of `count` is not zero."""
        if not isinstance(self._held, Entries):
            return _together(self._held != 0, count)
        used = np.zeros((-(-len(self) // count), self.shape[1]), bool)
        starts = np.arange(len(self)) // count * self.shape[1]
        used.ravel()[np.repeat(starts, self.counts) + self._held.taps] = True
        return used


def _together(used: np.ndarray, count: int) -> np.ndarray:
    """Return where some row of each group of `count` rows is true."""
    together = np.zeros((-(-len(used) // count), used.shape[1]), bool)
    for first in range(count):
        rows = used[first::count]
        together[: len(rows)] |= rows
    return together


def _values(layout: Codebook) -> np.ndarray:
    return layout.centroids[layout.codes]


def _split(positions: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, columns) of flat positions; quicker than `numpy.divmod`."""
    rows = positions // max(width, 1)
    return rows, positions - rows * max(width, 1)


def _reorder(
    rows: np.ndarray, taps: np.ndarray, values: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the entries with other numbers for the taps, sorted again.

    Each entry is one number, its key above the bits of its value: sorting numbers takes half as
    long as finding their order.
    """
    places = np.empty(len(order), np.uint32)
    places[order] = np.arange(len(order), dtype=np.uint32)
    firsts = rows * np.uint32(len(order))
    entries = (firsts + places[taps]).astype(np.uint64) << np.uint64(32)
    entries |= np.ascontiguousarray(values).view(np.uint32)
    entries.sort()
    keys = (entries >> np.uint64(32)).astype(np.uint32)
    return rows, keys - firsts, entries.astype(np.uint32).view(np.float32)


def _entries(count: int, rows: np.ndarray, taps: np.ndarray, values: np.ndarray) -> Entries:
    """Return entries in order without those that are zero after all."""
    if not values.all():
        kept = np.flatnonzero(values)
        rows, taps, values = rows[kept], taps[kept], values[kept]
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=starts[1:])
    return Entries(taps, values, starts)
