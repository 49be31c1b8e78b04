"""Padding of lists of weights: it must change no sum, whatever is read with it.

A list whose turns are not full repeats its last entry. Repeated with a weight of zero it would make
NaN of an infinity, so the entry's weight is shared out over its repetitions.
"""

from __future__ import annotations

import numpy as np


def padding_shares(spare: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which part of the last weight the last entry keeps, and which each repetition has.

    Args:
        spare: how often the last entry is repeated, ≥ 0.

    Examples:
        >>> kept, each = padding_shares(np.array([0, 1, 2, 3]))
        >>> kept.tolist(), each.tolist()
        ([1.0, 0.5, 0.5, 0.25], [1.0, 0.5, 0.25, 0.25])
    """
    each = 0.5 ** np.ceil(np.log2(spare + 1))
    return (1 - spare * each).astype(np.float32), each.astype(np.float32)
