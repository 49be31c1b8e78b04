"""Runs: neighbouring input channels that a filter reads or leaves out together (1×N blocks).

They are found in the weights themselves, whoever made the zeros. A run serves if its inputs lie as
far apart in every run: a kernel then needs only the place of the first one.
"""

from __future__ import annotations

import numpy as np

from gossamer.graph.layouts import Codebook, Layout, Sparse

LENGTHS = (2, 4, 8)
FULLEST = 0.97
"""Least share of the weights of runs that are not zero: what is zero there is multiplied."""


def find_runs(layout: Layout, offsets: np.ndarray) -> tuple[int, int]:
    """Return the length of the longest runs that hold nearly all nonzeros, and the bytes between.

    Args:
        layout: of a (K, C/G, R, S) weight.
        offsets: (G, C/G · R · S) input byte offset of each tap.

    Returns:
        (length, step_bytes); (1, 0) if there are no runs.
    """
    found, window = (1, 0), layout.shape[2] * layout.shape[3]
    for length in LENGTHS:
        step_bytes = _step_bytes(offsets, length, window)
        if not step_bytes or _fullness(layout, length, window) < FULLEST:
            break
        found = length, step_bytes
    return found


def _step_bytes(offsets: np.ndarray, length: int, window: int) -> int:
    """Return the bytes between neighbouring inputs of all runs; 0 if they differ."""
    if not offsets.size or offsets.shape[1] % (length * window):
        return 0
    steps = np.diff(offsets.reshape(-1, length, window), axis=1)
    first = int(steps.flat[0])
    return first if (steps == first).all() else 0


def _fullness(layout: Layout, length: int, window: int) -> float:
    """Return the share of nonzeros in runs that hold one."""
    if isinstance(layout, Sparse | Codebook):
        positions = layout.positions
    else:
        positions = np.flatnonzero(layout.to_dense())
    used = np.zeros(layout.size // length, bool)
    used[positions // (length * window) * window + positions % window] = True
    return len(positions) / max(1, length * np.count_nonzero(used))
