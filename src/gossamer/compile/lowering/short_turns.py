"""Which quads share a turn of a stream, so that their products, added up, fit 16 bits.

Two neighbouring bytes of inputs times their weights are added in 16 bits; so are those of both
quads of a turn. The sum fits if the weights of one sign, times the largest input, do not leave 16
bits. The largest quad of a list takes the largest that fits beside it, then the next takes its own;
that finds nearly as many pairs as there can be. Who finds no partner is left to be multiplied in 32
bits. Long lists are dealt out into parts first, each with large and small quads.
"""

from __future__ import annotations

import numpy as np

LARGEST = 2**15 - 1
PART = 64
"""Quads of a part at most: all are compared with each other."""


def short_pairs(of_list: np.ndarray, words: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (pairs, 2) quads that share turns, and the quads left; both list by list.

    Args:
        of_list: (n,) the list of each quad, ascending.
        words: (n, rows) int32, four int8 weights each.
        top: largest input, 1…255.
    """
    loads, room = _loads(words), min(LARGEST // top, 254)
    parts = _parts(of_list, loads.max(1, initial=0))
    # Places of a part that hold no quad fit beside nothing.
    loads = np.append(loads, np.full((1, loads.shape[1]), 255, np.uint8), axis=0)[parts]
    free = loads.max(2, initial=0) <= room
    pairs = [np.zeros((0, 2), np.int64)]
    for place in range(parts.shape[1] - 1):
        beside = np.maximum(room - loads[:, place].astype(np.int16), 0).astype(np.uint8)
        fits = free[:, place + 1 :] & (loads[:, place + 1 :] <= beside[:, None]).all(2)
        found = np.flatnonzero(free[:, place] & fits.any(1))
        other = place + 1 + fits[found].argmax(1)
        free[found, other] = False
        pairs.append(np.stack([parts[found, place], parts[found, other]], axis=1))
    together = np.sort(np.concatenate(pairs), axis=1)
    alone = np.setdiff1d(np.arange(len(words)), together, assume_unique=True)
    return together[np.argsort(together[:, 0])], alone


def _parts(of_list: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (parts, places): quads of each part, the largest first, then len(sizes)."""
    order = np.lexsort((-sizes.astype(np.int64), of_list))
    counts = np.bincount(of_list)
    per_list = -(-counts // PART)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, split = (np.repeat(each, counts) for each in (np.cumsum(per_list) - per_list, per_list))
    place, part = np.divmod(rank, split)
    parts = np.full((per_list.sum(), place.max(initial=0) + 1), len(order))
    parts[first + part, place] = order
    return parts


def _loads(words: np.ndarray) -> np.ndarray:
    """Return (n, rows · 4) uint8: sums of weights of each sign, of both pairs of bytes; ≤ 255."""
    weights = np.ascontiguousarray(words).view(np.int8).reshape(len(words), 2 * words.shape[1], 2)
    weights = weights.astype(np.int16)
    signs = [np.maximum(weights, 0).sum(2), np.maximum(-weights, 0).sum(2)]
    return np.minimum(np.concatenate(signs, axis=1), 255).astype(np.uint8)
