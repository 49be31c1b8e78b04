"""How many singular values of a matrix are more than noise."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np

_LEAST = 1e-10  # of the largest noise that there can be: a matrix without noise has a rank too
_POINTS, _ROUNDS = 200, 4


def evbmf_rank(values: np.ndarray, rows: int, columns: int) -> int:
    """Return the rank of the signal in a noisy matrix; its noise is estimated along with it.

    Source: Nakajima, Sugiyama, Babacan & Tomioka, "Global analytic solution of fully-observed
    variational Bayesian matrix factorization", 2013, corollary 2 and equation 24. They minimise the
    free energy over the noise by a line search; here it is evaluated on a grid that narrows.

    Args:
        values: singular values, falling, all min(rows, columns) of them.
        rows: of the matrix.
        columns: of the matrix.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> signal = 3 * rng.normal(size=(20, 2)) @ rng.normal(size=(2, 50))
        >>> noisy = signal + rng.normal(size=(20, 50))
        >>> evbmf_rank(np.linalg.svd(noisy, compute_uv=False), 20, 50)
        2
    """
    short, long = sorted((rows, columns))
    if not values.any():
        return 0
    shape = short / long
    least = 2.5129 * sqrt(shape)
    bound = (1 + least) * (1 + shape / least)
    noise = _noise(values**2, short, long, bound)
    return int((values**2 > long * noise * bound).sum())


def _noise(energies: np.ndarray, short: int, long: int, bound: float) -> float:
    """Return the variance of the noise that minimises the free energy."""
    high = energies.sum() / (short * long)
    first = min(ceil(short / (1 + short / long)) - 1, short)
    rest = energies[first:]
    low = max(rest[0] / (long * bound), rest.mean() / long, _LEAST * high)
    for _ in range(_ROUNDS):
        grid = np.geomspace(low, max(high, low), _POINTS)
        best = int(np.argmin(_free_energy(energies, grid, short, long, bound)))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, _POINTS - 1)]
    return float((low * high) ** 0.5)


def _free_energy(
    energies: np.ndarray, noise: np.ndarray, short: int, long: int, bound: float
) -> np.ndarray:
    """Return 2/M of the free energy, up to a constant, for each variance of the noise."""
    shape = short / long
    x = energies / (long * noise[:, None])
    middle = np.maximum(x, bound) - (1 + shape)
    tau = (middle + np.sqrt(middle**2 - 4 * shape)) / 2
    kept = np.log(tau + 1) + shape * np.log(tau / shape + 1) - tau
    return short * np.log(noise) + x.sum(1) + np.where(x > bound, kept, 0).sum(1)
