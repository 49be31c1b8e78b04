"""Activations by name: functions of one number, alone or at the end of a layer.

Most are a word. One has a parameter, which stands in its name: `leaky_relu(0.1)`. A name is written
in one way only, so that equal names are equal functions.
"""

from __future__ import annotations

import re
from reprlib import repr as short_repr

import numpy as np

from gossamer.errors import ShapeError

ACTIVATIONS = (
    "identity",
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "silu",
    "hard_sigmoid",
    "hard_swish",
    "erf",
    "gelu",
    "gelu_tanh",
)
"""Those without a parameter. `gelu` is x · Φ(x), `gelu_tanh` its approximation by tanh (Hendrycks
and Gimpel 2016)."""

_LEAKY_RELU = re.compile(r"leaky_relu\(([-+.0-9e]{1,16})\)")


def leaky_relu(slope: float) -> str:
    """Return the name of the activation x where x ≥ 0, else slope · x (Maas et al. 2013).

    Args:
        slope: finite; rounded to float32.

    Raises:
        ShapeError: if it is not finite.

    Examples:
        >>> leaky_relu(0.1), slope_of("leaky_relu(0.1)"), slope_of("relu")
        ('leaky_relu(0.1)', 0.10000000149011612, None)
    """
    rounded = _rounded(slope)
    if not np.isfinite(rounded):
        raise ShapeError("bad slope", got=slope, expected="a finite float32 number")
    return f"leaky_relu({rounded!s})"


def slope_of(activation: str) -> float | None:
    """Return the slope below zero of a leaky ReLU, None for any other activation."""
    found = _LEAKY_RELU.fullmatch(activation)
    return None if found is None else float(_rounded(float(found[1])))


def _rounded(slope: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(slope)


def check_activation(name: str) -> None:
    """Raise ShapeError unless there is an activation of this name."""
    if not isinstance(name, str) or not (name in ACTIVATIONS or _is_leaky_relu(name)):
        expected = (*ACTIVATIONS, "leaky_relu(SLOPE)")
        raise ShapeError("unknown activation", got=short_repr(name), expected=expected)


def _is_leaky_relu(name: str) -> bool:
    """Whether a name is what `leaky_relu` makes of some slope."""
    try:
        slope = slope_of(name)
        return slope is not None and leaky_relu(slope) == name
    except ValueError:  # not a number, or not finite
        return False
