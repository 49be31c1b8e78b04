"""Runs: input channels 0…N−1, N…2N−1, … that a filter reads or leaves out together (1×N blocks).

They are found in the weights themselves, whoever made the zeros. They serve if all channels lie
equally far apart: a kernel then needs only the place of a run's first one. No two runs overlap: a
zero in one is never a tap that another one reads, where it would make NaN of an infinity.
"""

from __future__ import annotations

import numpy as np

from gossamer.compile.lowering.filters import Entries

LENGTHS = (4, 2)
"""The first that serves is taken; still longer runs gain no more."""
FULLEST = 0.97
"""Least share of the weights of runs that are not zero: what is zero there is multiplied."""
SAMPLE = 2**14
"""Nonzeros that say whether it is worth looking at all."""


def find_runs(
    entries: Entries, offsets: np.ndarray, order: np.ndarray, window: int
) -> tuple[Entries | None, int]:
    """Return the nonzeros as runs, if these have few zeros in them.

    Args:
        entries: the nonzeros of a (K, taps) weight.
        offsets: (G, taps) input byte offset of each (C/G, R, S) of a filter.
        order: (taps,) which of these each tap is.
        window: R · S.

    Returns:
        (runs, bytes from one channel to the next), or (None, 0).
    """
    step_bytes = _step_bytes(offsets, window)
    if step_bytes and _have_neighbours(entries, order, window):
        for length in (n for n in LENGTHS if len(order) % (n * window) == 0):
            runs = _runs(entries, order, window, length)
            if len(entries.taps) >= FULLEST * runs.values.size:
                return runs, step_bytes
    return None, 0


def _step_bytes(offsets: np.ndarray, window: int) -> int:
    """Return the bytes from each channel to the next; 0 if they differ."""
    steps = np.diff(offsets.reshape(len(offsets), -1, window), axis=1)
    return int(steps.flat[0]) if steps.size and (steps == steps.flat[0]).all() else 0


def _have_neighbours(entries: Entries, order: np.ndarray, window: int) -> bool:
    """Whether nearly all nonzeros have one beside them: soon said of zeros at random places."""
    width = len(order)
    places = entries.rows[:SAMPLE] * width + order[entries.taps[:SAMPLE]]
    used = np.zeros(places.max(initial=0) + 2 * width, bool)
    used[places] = True
    pairs = int(np.count_nonzero(used[places + window] | used[places - window]))
    return pairs > 0.9 * len(places)


def _runs(entries: Entries, order: np.ndarray, window: int, length: int) -> Entries:
    """Return the nonzeros as runs of taps, by the first tap within a row."""
    width, rows = len(order), len(entries.starts) - 1
    tap_of = np.empty_like(order)
    tap_of[order] = np.arange(width)
    nth = order // window % length
    first = tap_of[order - nth * window]
    places = entries.rows * width + first[entries.taps]
    used = np.zeros(rows * width, bool)
    used[places] = True
    found = np.flatnonzero(used)
    number = np.empty(rows * width, np.int32)
    number[found] = np.arange(len(found))
    values = np.zeros((len(found), length), np.float32)
    values[number[places], nth[entries.taps]] = entries.values
    return Entries(found % width, values, np.searchsorted(found, np.arange(rows + 1) * width))
