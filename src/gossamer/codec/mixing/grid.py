"""Values that are whole multiples of one step: then the step says them all."""

from __future__ import annotations

import numpy as np

_MOST_STEPS = 2**11
_TOLERANCE = 1e-3
_TRIED = 8


def grid_of(values: np.ndarray) -> tuple[np.float32, np.ndarray] | None:
    """Return (step, multiples) if float32 values are, bit for bit, multiples of a step.

    Args:
        values: float32, increasing, none of them zero.

    Examples:
        >>> step, multiples = grid_of(np.float32([-0.5, 0.25, 0.75]))
        >>> float(step), multiples.tolist()
        (0.25, [-2, 1, 3])
    """
    if not len(values) or not np.isfinite(values).all() or not (np.diff(values) > 0).all():
        return None
    wide = values.astype(np.float64)
    if not wide.all():
        return None
    largest = np.abs(wide).max()
    for most in range(max(1, len(values) // 2), _MOST_STEPS):
        steps = wide / largest * most
        multiples = np.rint(steps)
        if np.abs(steps - multiples).max() < _TOLERANCE and multiples.all():
            found = _exact(values, multiples.astype(np.int64))
            if found is not None:
                return found
    return None


def _exact(values: np.ndarray, multiples: np.ndarray) -> tuple[np.float32, np.ndarray] | None:
    """Find the float32 step whose rounded multiples are just the values."""
    largest = np.argsort(-np.abs(multiples))[:_TRIED]
    for value, multiple in zip(values[largest], multiples[largest], strict=True):
        near = np.float32(value) / np.float32(multiple)
        for step in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(1e38))):
            if step > 0 and grid_values(step, multiples).tobytes() == values.tobytes():
                return step, multiples
    return None


def grid_values(step: np.float32, multiples: np.ndarray) -> np.ndarray:
    """Return the multiples of a step, each product rounded to float32."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.float32(step) * multiples.astype(np.float32)
