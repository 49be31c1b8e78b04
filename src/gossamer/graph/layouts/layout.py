"""The contract of a layout, and the checks that several layouts make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import ClassVar, Self

import numpy as np

from gossamer.errors import ShapeError


class Layout(ABC):
    """A weight tensor of float32 values, held in some form.

    Attributes:
        kind: the registry name of the form.
        shape: (K, C/G, R, S) of a convolution, (K, F) of a linear layer, (C,) of a vector.
    """

    kind: ClassVar[str]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of entries, zeros included."""
        return prod(self.shape)

    @property
    @abstractmethod
    def nonzeros(self) -> int:
        """The number of entries that are not exactly zero."""

    @property
    def density(self) -> float:
        """Fraction of entries that are not zero; 0 for an empty tensor."""
        return self.nonzeros / self.size if self.size else 0.0

    @abstractmethod
    def to_dense(self) -> np.ndarray:
        """Return the float32 array of `shape` that this layout means."""

    @classmethod
    @abstractmethod
    def from_dense(cls, array: np.ndarray) -> Self:
        """Hold a float32 array in this form; `to_dense()` gives back equal values.

        Raises:
            ShapeError: if this form cannot hold the values exactly.
        """

    def take(self, indices: Sequence[int] | np.ndarray, axis: int) -> Self:
        """Return some slices along an axis, in the order of `indices`, in the same form."""
        return type(self).from_dense(self.to_dense().take(indices, axis))

    @abstractmethod
    def parts(self) -> tuple[np.ndarray, ...]:
        """Return the arrays that make up the layout, in a fixed order."""

    def __eq__(self, other: object) -> bool:
        """Equal form, shape and bits."""
        if not isinstance(other, Layout):
            return NotImplemented
        return (self.kind, self.shape) == (other.kind, other.shape) and all(
            a is b or (a.dtype == b.dtype and a.tobytes() == b.tobytes())
            for a, b in zip(self.parts(), other.parts(), strict=True)
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.shape, self.nonzeros))


def frozen_array(array: np.ndarray, dtype: type) -> np.ndarray:
    """Return a read-only, contiguous copy-if-needed of `array` as `dtype`.

    Raises:
        ShapeError: if `dtype` is an integer type that does not hold the entries.
    """
    array = np.asarray(array)
    if np.issubdtype(dtype, np.integer) and not _fits(array, dtype):
        raise ShapeError(f"the entries are not all {np.dtype(dtype).name}", got=array.dtype)
    result = np.ascontiguousarray(array, dtype)
    if result is array and result.flags.writeable:
        result = result.copy()
    result.flags.writeable = False
    return result


def _fits(array: np.ndarray, dtype: type) -> bool:
    """Whether every entry is an integer that `dtype` holds."""
    if not array.size or array.dtype == dtype:
        return True
    bounds = np.iinfo(dtype)
    return array.dtype.kind in "iu" and bounds.min <= array.min() and array.max() <= bounds.max


def check_positions(positions: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ShapeError unless flat positions increase strictly and lie inside `shape`."""
    if not isinstance(shape, tuple) or not all(type(s) is int and s >= 0 for s in shape):
        raise ShapeError("a shape is a tuple of integers ≥ 0", got=shape)
    size = prod(shape)
    if size > 2**32:
        raise ShapeError("a sparse tensor has at most 2³² entries", got=shape)
    if positions.ndim != 1:
        raise ShapeError("positions must be a vector", got=positions.shape)
    if len(positions) and (
        int(positions[-1]) >= size or not (positions[1:] > positions[:-1]).all()
    ):
        raise ShapeError(
            "positions must increase strictly and lie inside the tensor", expected=f"< {size}"
        )
