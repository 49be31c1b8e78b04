"""Nonzero entries that share few values: positions, codes, and the table of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from gossamer.errors import ShapeError
from gossamer.graph.layouts.layout import Layout, check_positions, frozen_array


@dataclass(frozen=True, eq=False)
class Codebook(Layout):
    """A tensor whose nonzero entries take few distinct values (deep compression, Han et al. 2016).

    Args:
        shape: of the tensor.
        positions: (nonzeros,) flat row-major indices, strictly increasing, uint32.
        codes: (nonzeros,) index into `centroids`, uint16.
        centroids: (entries,) float32, at most 65,536; zero is implicit and needs no entry.

    Raises:
        ShapeError: if the parts do not fit together.

    Examples:
        >>> Codebook.from_dense(np.array([[0.0, 2.0, 2.0, -1.0]], np.float32)).codes.tolist()
        [1, 1, 0]
    """

    shape: tuple[int, ...]
    positions: np.ndarray
    codes: np.ndarray
    centroids: np.ndarray
    kind: ClassVar[str] = "codebook"

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", frozen_array(self.positions, np.uint32))
        object.__setattr__(self, "codes", frozen_array(self.codes, np.uint16))
        object.__setattr__(self, "centroids", frozen_array(self.centroids, np.float32))
        check_positions(self.positions, self.shape)
        if self.codes.shape != self.positions.shape:
            raise ShapeError(
                "one code a position", got=self.codes.shape, expected=self.positions.shape
            )
        if self.centroids.ndim != 1 or len(self.centroids) > 2**16:
            raise ShapeError(
                "centroids must be a vector of at most 65,536", got=self.centroids.shape
            )
        if len(self.codes) and int(self.codes.max()) >= len(self.centroids):
            raise ShapeError(
                "a code has no centroid",
                got=int(self.codes.max()),
                expected=f"< {len(self.centroids)}",
            )

    @property
    def nonzeros(self) -> int:
        """The number of entries that are not exactly zero (a stored zero does not count)."""
        return int(np.count_nonzero(self.centroids[self.codes]))

    def to_dense(self) -> np.ndarray:
        """Return the float32 array of `shape`."""
        array = np.zeros(self.size, np.float32)
        array[self.positions] = self.centroids[self.codes]
        return array.reshape(self.shape)

    @classmethod
    def from_dense(cls, array: np.ndarray) -> Self:
        """Collect the distinct nonzero values, in increasing order, as centroids."""
        flat = np.asarray(array, np.float32).ravel()
        positions = np.flatnonzero(flat)
        centroids, codes = np.unique(flat[positions], return_inverse=True)
        if len(centroids) > 2**16:
            raise ShapeError(
                "too many distinct values for a codebook", got=len(centroids), expected="≤ 65536"
            )
        return cls(tuple(array.shape), positions, codes, centroids)

    def parts(self) -> tuple[np.ndarray, ...]:
        """Return (positions, codes, centroids)."""
        return (self.positions, self.codes, self.centroids)
