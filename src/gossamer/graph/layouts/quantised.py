"""Small integers, and one scale for each output channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from gossamer.errors import ShapeError
from gossamer.graph.layouts.layout import Layout, frozen_array


@dataclass(frozen=True, eq=False)
class Quantised(Layout):
    """A tensor on a grid: entry [k, …] is integers[k, …] · scales[k], rounded to float32.

    Zero is zero, so that pruned weights stay pruned. Integers of fewer bits are held in bytes, too,
    and zeros are held here, but not in a file.

    Args:
        integers: (K, …) int8.
        scales: (K,) float32, finite.

    Raises:
        ShapeError: if the parts do not fit together.

    Examples:
        >>> layout = Quantised(np.array([[0, 3], [-8, 1]]), np.array([0.5, 2.0]))
        >>> layout.to_dense().tolist(), layout.bits
        ([[0.0, 1.5], [-16.0, 2.0]], 4)
    """

    integers: np.ndarray
    scales: np.ndarray
    kind: ClassVar[str] = "quantised"

    def __post_init__(self) -> None:
        object.__setattr__(self, "integers", frozen_array(self.integers, np.int8))
        object.__setattr__(self, "scales", frozen_array(self.scales, np.float32))
        if self.integers.ndim < 1 or self.scales.shape != self.integers.shape[:1]:
            raise ShapeError(
                "one scale for each output channel",
                got=self.scales.shape,
                expected=self.integers.shape[:1],
            )
        if not np.isfinite(self.scales).all():
            raise ShapeError("a scale is not finite")

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of the tensor."""
        return self.integers.shape

    @property
    def nonzeros(self) -> int:
        """The number of entries that are not exactly zero."""
        return int(np.count_nonzero(self.integers[self.scales != 0]))

    @property
    def bits(self) -> int:
        """The fewest bits, 1…8, that hold every integer in two's complement."""
        if not self.size:
            return 1
        low, high = int(self.integers.min()), int(self.integers.max())
        return max(high, -low - 1).bit_length() + 1

    def to_dense(self) -> np.ndarray:
        """Return the float32 array of `shape`."""
        scales = self.scales.reshape(-1, *(1,) * (self.integers.ndim - 1))
        with np.errstate(over="ignore"):
            return self.integers.astype(np.float32) * scales + np.float32(0)  # no −0

    @classmethod
    def from_dense(cls, array: np.ndarray) -> Self:
        """Raise: which grid an array lies on cannot be told from its values.

        Raises:
            ShapeError: always.
        """
        raise ShapeError(
            "a float array has no exact integers",
            hint="gossamer.graph.quantise.quantise rounds the weights of a network",
        )

    def take(self, indices: Sequence[int] | np.ndarray, axis: int) -> Self:
        """Return some slices along an axis, in their order."""
        scales = self.scales.take(indices) if axis == 0 else self.scales
        return type(self)(self.integers.take(indices, axis), scales)

    def parts(self) -> tuple[np.ndarray, ...]:
        """Return (integers, scales)."""
        return (self.integers, self.scales)
