"""Whether the low bits of floats are noise: as many ones as zeros, and nothing to learn."""

from __future__ import annotations

from math import lgamma, log, pi

import numpy as np

EVEN = 20
"""Of the 23 bits of a mantissa; those above are worth a model in any list."""
_ROUND = 255
_WORTH_BITS = 6
"""What a model must save to be asked."""


def is_noise(bits: np.ndarray) -> bool:
    """Return whether no model would shorten the lowest 20 bits of mantissas.

    Args:
        bits: of float32 values, as uint32.

    Examples:
        >>> noise = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
        >>> is_noise(noise.view(np.uint32))
        True
        >>> is_noise(noise.astype(np.float16).astype(np.float32).view(np.uint32))
        False
    """
    if not (bits & _ROUND).any():
        return False
    ones = [int(np.count_nonzero(bits & np.uint32(1 << place))) for place in range(EVEN)]
    modelled = sum(_adaptive_bits(count, len(bits) - count) for count in ones)
    return EVEN * len(bits) < modelled + _WORTH_BITS


def _adaptive_bits(ones: int, zeros: int) -> float:
    """Return what so many ones and zeros cost who learns their share as they come.

    The estimator is that of Krichevsky & Trofimov, "The performance of universal encoding", 1981.
    """
    chance = lgamma(ones + 0.5) + lgamma(zeros + 0.5) - lgamma(ones + zeros + 1) - log(pi)
    return -chance / log(2)
