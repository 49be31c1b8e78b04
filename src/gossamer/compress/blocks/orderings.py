"""The orderings: two for the zeros that are there, one for zeros that are to come."""

from __future__ import annotations

from math import sqrt

import numpy as np

from gossamer.compress.blocks.assignment import assign, kept_magnitude
from gossamer.compress.blocks.bins import bin_sizes, touched_blocks
from gossamer.compress.blocks.cocluster import cocluster
from gossamer.compress.blocks.exchange import exchange
from gossamer.compress.blocks.jaccard import group_rows
from gossamer.compress.blocks.ordering import Ordering
from gossamer.compress.blocks.swaps import swap


def _likest(magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float, seed: int) -> np.ndarray:
    """Put rows together whose zeros are alike."""
    return group_rows(magnitudes != 0, sizes)


def _clusters(magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float, seed: int) -> np.ndarray:
    """Put rows together that are in one co-cluster, the likest ones of it beside each other."""
    mask, height = magnitudes != 0, int(sizes[0])
    cluster, _ = cocluster(mask, max(2, round(sqrt(len(sizes)))), seed=seed)
    members = [np.flatnonzero(cluster == number) for number in np.unique(cluster)]
    return np.concatenate(
        [rows[group_rows(mask[rows], bin_sizes(len(rows), height))] for rows in members]
    )


def _largest(magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float, seed: int) -> np.ndarray:
    """Put rows together whose largest weights stand at the same places."""
    gone = min(round(sparsity * magnitudes.size), magnitudes.size - 1)
    threshold = np.partition(magnitudes.ravel(), gone)[gone]
    return group_rows((magnitudes >= threshold) & (magnitudes > 0), sizes)


def _exchanges(
    magnitudes: np.ndarray, order: np.ndarray, sizes: np.ndarray, sparsity: float
) -> np.ndarray:
    return exchange(magnitudes != 0, order, sizes)


def _swaps(
    magnitudes: np.ndarray, order: np.ndarray, sizes: np.ndarray, sparsity: float
) -> np.ndarray:
    order = assign(magnitudes, order, sizes, sparsity)
    return swap(magnitudes, order, sizes, sparsity)


def _untouched(magnitudes: np.ndarray, sizes: np.ndarray, sparsity: float) -> float:
    return -float(touched_blocks(magnitudes, sizes))


JACCARD = Ordering(_likest, _exchanges, _untouched)
CO_CLUSTER = Ordering(_clusters, _exchanges, _untouched)
SWAPS = Ordering(_largest, _swaps, kept_magnitude)
