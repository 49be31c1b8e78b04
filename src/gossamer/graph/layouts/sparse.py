"""Only the nonzero entries: flat positions and values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from gossamer.errors import ShapeError
from gossamer.graph.layouts.layout import Layout, check_positions, frozen_array


@dataclass(frozen=True, eq=False)
class Sparse(Layout):
    """A tensor held as its nonzero entries, in row-major order.

    Args:
        shape: of the tensor.
        positions: (nonzeros,) flat row-major indices, strictly increasing, uint32.
        values: (nonzeros,) float32.

    Raises:
        ShapeError: if the parts do not fit together.

    Examples:
        >>> Sparse.from_dense(np.array([[0.0, 2.0]], np.float32)).positions.tolist()
        [1]
    """

    shape: tuple[int, ...]
    positions: np.ndarray
    values: np.ndarray
    kind: ClassVar[str] = "sparse"

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", frozen_array(self.positions, np.uint32))
        object.__setattr__(self, "values", frozen_array(self.values, np.float32))
        check_positions(self.positions, self.shape)
        if self.values.shape != self.positions.shape:
            raise ShapeError(
                "one value a position", got=self.values.shape, expected=self.positions.shape
            )

    @cached_property
    def nonzeros(self) -> int:  # type: ignore[override]
        """The number of entries that are not exactly zero (a stored zero does not count)."""
        return int(np.count_nonzero(self.values))

    def to_dense(self) -> np.ndarray:
        """Return the float32 array of `shape`."""
        array = np.zeros(self.size, np.float32)
        array[self.positions] = self.values
        return array.reshape(self.shape)

    @classmethod
    def from_dense(cls, array: np.ndarray) -> Self:
        """Keep the entries that are not zero (a negative zero counts as zero)."""
        flat = np.asarray(array, np.float32).ravel()
        positions = np.flatnonzero(flat)
        return cls(tuple(array.shape), positions, flat[positions])

    def parts(self) -> tuple[np.ndarray, ...]:
        """Return (positions, values)."""
        return (self.positions, self.values)
