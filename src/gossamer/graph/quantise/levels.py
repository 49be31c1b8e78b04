"""Levels for the values that were seen."""

from __future__ import annotations

import numpy as np

from gossamer.graph.ops import Quantise
from gossamer.graph.quantise.options import QuantiseOptions
from gossamer.graph.quantise.ranges import Seen

_LEVELS = 256
_NARROWEST, _WIDTHS = 0.2, 41
_SMALLEST_SCALE = 2.0**-100


def choose_levels(seen: Seen, options: QuantiseOptions) -> Quantise:
    """Return the rounding for a value; zero is one of its levels.

    Examples:
        >>> choose_levels(Seen(-1.0, 4.1, [np.array([-1.0, 4.1])]), QuantiseOptions("minmax"))
        Quantise(scale=0.01999..., zero_point=50, low=0, high=255)
    """
    low, high = seen.low, seen.high
    if options.calibration == "percentile":
        ends = np.percentile(seen.sample, [100 - options.percentile, options.percentile])
        low, high = min(float(ends[0]), 0.0), max(float(ends[1]), 0.0)
    if options.calibration == "mse":
        sample = seen.sample
        widths = np.linspace(1, _NARROWEST, _WIDTHS)
        errors = [_error(sample, _rounding(w * low, w * high, options)) for w in widths]
        width = float(widths[int(np.argmin(errors))])
        low, high = width * low, width * high
    return _rounding(low, high, options)


def _rounding(low: float, high: float, options: QuantiseOptions) -> Quantise:
    """Return the rounding to levels from `low` ≤ 0 to `high` ≥ 0."""
    scale = float(np.float32((high - low) / (_LEVELS - 1)))
    scale = scale if scale > _SMALLEST_SCALE else 1.0
    first = -(_LEVELS // 2) if options.signed else 0
    zero = first + min(max(round(-low / scale), 0), _LEVELS - 1)
    return Quantise(scale, zero, first, first + _LEVELS - 1)


def _error(sample: np.ndarray, op: Quantise) -> float:
    """Return the mean squared error of rounding."""
    scale = np.float32(op.scale)
    levels = np.clip(np.rint(sample / scale), op.low - op.zero_point, op.high - op.zero_point)
    return float(np.mean((levels * scale - sample) ** 2, dtype=np.float64))
