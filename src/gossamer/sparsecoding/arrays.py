"""What arrays and numbers must be before anything is computed with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gossamer.errors import DataError, ShapeError, SpecError

LARGEST = 1e50  # no data is near it, and products of some such numbers are still finite


def as_array(values: Any, where: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """Return a copy of the values as float64.

    Args:
        values: real numbers of magnitude at most 1e50.
        where: what the array is called in messages.
        shape: what it must have; a letter stands for any size.

    Raises:
        DataError: an entry is no real number, not finite or too large.
        ShapeError: the shape is another one.

    Examples:
        >>> as_array([[1, 2]], "signals", ("N", 3))
        Traceback (most recent call last):
        gossamer.errors.ShapeError: signals: wrong shape (got (1, 2), expected (N, 3))
    """
    array = _as_floats(values, where)
    fits = len(array.shape) == len(shape) and all(
        isinstance(wanted, str) or wanted == size
        for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        expected = str(shape).replace("'", "")
        raise ShapeError("wrong shape", where=where, got=array.shape, expected=expected)
    usable = np.abs(array) <= LARGEST
    if not usable.all():
        place = tuple(np.argwhere(~usable)[0].tolist())
        raise DataError(
            "not a number to compute with",
            where=f"{where}{list(place)}",
            got=array[place],
            expected=f"a finite number of magnitude at most {LARGEST:g}",
        )
    return array


def as_number(value: float, where: str) -> float:
    """Return an option as a float; SpecError unless it lies in 0…1e50."""
    if not isinstance(value, int | float | np.number) or not 0 <= value <= LARGEST:
        raise SpecError("out of range", where=where, got=repr(value), expected=f"0 to {LARGEST:g}")
    return float(value)


def as_count(value: int, where: str) -> int:
    """Return an option as an int; SpecError unless it is a whole number ≥ 1."""
    if not isinstance(value, int | np.integer) or value < 1:
        raise SpecError("not a count", where=where, got=repr(value), expected="a whole number ≥ 1")
    return int(value)


def _as_floats(values: Any, where: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        raise ShapeError("rows differ in length", where=where) from None
    if array.dtype.kind not in "biuf":
        raise DataError("not real numbers", where=where, got=array.dtype)
    return array.astype(np.float64)
