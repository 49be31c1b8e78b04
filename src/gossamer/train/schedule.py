"""Learning rate schedules: functions from the fraction of training done to a factor in 0…1."""

from __future__ import annotations

from math import cos, pi


def cosine(done: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts).

    Examples:
        >>> [round(cosine(done), 3) for done in (0, 0.5, 1)]
        [1.0, 0.5, 0.0]
    """
    return (1 + cos(pi * done)) / 2


def step(done: float) -> float:
    """Divide by ten at 1/2, 3/4 and 7/8 (the drops of the IGCV1 training code).

    Examples:
        >>> [round(step(done), 4) for done in (0.4, 0.5, 0.8, 0.9)]
        [1.0, 0.1, 0.01, 0.001]
    """
    return 0.1 ** sum(done >= drop for drop in (1 / 2, 3 / 4, 7 / 8))


def constant(done: float) -> float:
    """Stay at 1."""
    return 1.0
