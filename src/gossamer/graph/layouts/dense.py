"""Every entry, one float32 each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from gossamer.graph.layouts.layout import Layout, frozen_array


@dataclass(frozen=True, eq=False)
class Dense(Layout):
    """A tensor held as it is.

    Args:
        values: float32, any shape.

    Examples:
        >>> Dense(np.array([[0.0, 2.0]])).nonzeros
        1
    """

    values: np.ndarray
    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen_array(self.values, np.float32))

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of the tensor."""
        return self.values.shape

    @property
    def nonzeros(self) -> int:
        """The number of entries that are not exactly zero."""
        return int(np.count_nonzero(self.values))

    def to_dense(self) -> np.ndarray:
        """Return the values (read-only)."""
        return self.values

    @classmethod
    def from_dense(cls, array: np.ndarray) -> Self:
        """Hold the array."""
        return cls(array)

    def parts(self) -> tuple[np.ndarray, ...]:
        """Return (values,)."""
        return (self.values,)
