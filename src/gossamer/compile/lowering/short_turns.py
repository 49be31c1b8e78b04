"""Which quads share a turn of a stream, so that their products, added up, fit 16 bits.

Two neighbouring bytes of inputs times their weights are added in 16 bits; so are those of both
quads of a turn. The sum fits if the weights of one sign, times the largest input, do not leave 16
bits. Quads are put together largest with smallest, by the size of one sum of theirs or another, a
few times over; who finds no partner is left to be multiplied in 32 bits.
"""

from __future__ import annotations

import numpy as np

LARGEST = 2**15 - 1
ROUNDS = 8


def short_pairs(of_list: np.ndarray, words: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (pairs, 2) quads that share turns, and the quads left; both list by list.

    Args:
        of_list: (n,) the list of each quad, ascending.
        words: (n, rows) int32, four int8 weights each.
        top: largest input, 1…255.
    """
    loads = _loads(words)
    alone = np.flatnonzero(loads.max(1, initial=0) <= LARGEST // top)
    too_large = np.flatnonzero(loads.max(1, initial=0) > LARGEST // top)
    directions = np.random.default_rng(0).standard_normal((ROUNDS, loads.shape[1]))
    pairs = [np.zeros((0, 2), np.int64)]
    for turn, direction in enumerate(directions.astype(np.float32)):
        sizes = loads[alone] @ direction if turn else loads[alone].max(1, initial=0)
        alone = alone[np.lexsort((sizes, of_list[alone]))]
        counts = np.bincount(of_list[alone])
        first, count = np.repeat(np.cumsum(counts) - counts, counts), np.repeat(counts, counts)
        place = np.arange(len(alone)) - first
        low = np.flatnonzero(place < count // 2)
        found = np.stack([alone[low], alone[(first + count - 1 - place)[low]]], axis=1)
        fits = ((loads[found[:, 0]] + loads[found[:, 1]]) <= LARGEST // top).all(1)
        pairs.append(found[fits])
        alone = np.setdiff1d(alone, found[fits], assume_unique=True)
    together = np.sort(np.concatenate(pairs), axis=1)
    return together[np.argsort(together[:, 0])], np.union1d(alone, too_large)


def _loads(words: np.ndarray) -> np.ndarray:
    """Return (n, rows · 4) float32: sums of weights of each sign, of both pairs of bytes."""
    weights = np.ascontiguousarray(words).view(np.int8).reshape(len(words), 2 * words.shape[1], 2)
    weights = weights.astype(np.float32)
    return np.concatenate([np.maximum(weights, 0).sum(2), np.maximum(-weights, 0).sum(2)], axis=1)
