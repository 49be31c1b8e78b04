"""Runs: neighbouring input channels that a filter reads together (blocks of 1×N weights).

They are found in the weights themselves, whoever made the zeros: channels that were removed leave
blocks of other lengths at other places, and grids leave zeros inside. The first tap that no run has
yet begins one. Runs serve if all channels lie equally far apart: a kernel then needs only the place
of the first one.
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
        for length in (n for n in LENGTHS if n * window <= len(order)):
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
    pairs = np.count_nonzero(used[places + window] | used[places - window])
    return pairs > 0.9 * len(places)


def _runs(entries: Entries, order: np.ndarray, window: int, length: int) -> Entries:
    """Return the nonzeros as runs of taps of neighbouring channels."""
    rows, channels = entries.rows, len(order) // window
    channel, place = (part[entries.taps] for part in np.divmod(order, window))
    lists = rows * window + place
    keys = lists * (channels + length) + channel
    sort = np.argsort(keys, kind="stable")
    keys, channel = keys[sort], channel[sort]
    heads = _heads(keys, np.diff(lists[sort], prepend=-1) != 0, length)
    # A run at the end reaches back.
    first = np.minimum(channel[heads], channels - length)
    values = np.zeros((len(heads), length), np.float32)
    of_entry = np.repeat(np.arange(len(heads)), np.diff(heads, append=len(keys)))
    values[of_entry, channel - first[of_entry]] = entries.values[sort]
    taps = np.empty_like(order)
    taps[order] = np.arange(len(order))
    taps, rows = taps[first * window + place[sort][heads]], rows[sort][heads]
    forwards = np.argsort(rows * len(order) + taps, kind="stable")
    starts = np.searchsorted(rows, np.arange(len(entries.starts)))
    return Entries(taps[forwards], values[forwards], starts)


def _heads(keys: np.ndarray, begins: np.ndarray, length: int) -> np.ndarray:
    """Return where runs begin: at each list's first entry, and at the first that is too far away.

    Args:
        keys: (n,) places, ascending; lists are farther apart than a run is long.
        begins: (n,) whether an entry is the first of its list.
        length: of a run.
    """
    following = np.arange(1, len(keys) + 1)
    for ahead in range(1, min(length, len(keys))):
        following[:-ahead] += keys[ahead:] < keys[:-ahead] + length
    is_head, at = np.append(begins, True), np.flatnonzero(begins)
    while len(at):
        at = following[at]
        at = at[~is_head[at]]
        is_head[at] = True
    return np.flatnonzero(is_head[:-1])
