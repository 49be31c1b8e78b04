"""k-means in one dimension.

In one dimension clusters are intervals of the sorted values, so a Lloyd iteration needs no
distances: the borders are the midpoints between centroids, found by bisection, and the means follow
from prefix sums. O(n log n) once, then O(k log n) an iteration.
"""

from __future__ import annotations

import numpy as np

from gossamer.compress.cluster.optimal import optimal_1d

INITS = ("linear", "density", "random", "optimal")


def kmeans_1d(
    values: np.ndarray,
    clusters: int,
    *,
    init: str = "linear",
    iterations: int = 100,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Return the centroids of a one-dimensional array, ascending.

    Args:
        values: finite, of any shape, not empty.
        clusters: k ≥ 1; fewer centroids come back where clusters stay empty.
        init: "linear" spaces the first centroids evenly over [min, max], which serves the few large
            weights best (Han et al. 2016, section 3.2); "density" evenly over the quantiles;
            "random" draws values; "optimal" is the best there is, see `optimal_1d`, and slower.
        iterations: at most; it stops when no value changes its cluster.
        rng: for "random".

    Returns:
        float64 (≤ k,).

    Examples:
        >>> kmeans_1d(np.array([1.0, 1.2, 5.0, 5.2, 9.1]), 3)
        array([1.1, 5.1, 9.1])
    """
    ordered = np.sort(values.ravel().astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = _start(ordered, clusters, init, rng)
    borders = None
    for _ in range(iterations):
        previous, borders = borders, _borders(ordered, centroids)
        if previous is not None and np.array_equal(previous, borders):
            break
        counts = np.diff(borders)
        means = np.diff(sums[borders]) / np.maximum(counts, 1)
        centroids = np.where(counts > 0, means, centroids)
    return centroids[np.diff(_borders(ordered, centroids)) > 0]


def nearest(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return the index of the nearest of ascending centroids, int64 of the values' shape.

    Examples:
        >>> nearest(np.array([0.9, 3.0]), np.array([1.0, 2.0]))
        array([0, 1])
    """
    return np.searchsorted(_midpoints(centroids), values)


def _start(
    ordered: np.ndarray, clusters: int, init: str, rng: np.random.Generator | None
) -> np.ndarray:
    if init == "linear":
        return np.linspace(ordered[0], ordered[-1], clusters)
    if init == "density":
        return np.quantile(ordered, (np.arange(clusters) + 0.5) / clusters)
    if init == "optimal":
        return optimal_1d(ordered, clusters)
    assert init == "random", init
    rng = rng or np.random.default_rng(0)
    return np.sort(rng.choice(ordered, min(clusters, ordered.size), replace=False))


def _midpoints(centroids: np.ndarray) -> np.ndarray:
    return (centroids[:-1] + centroids[1:]) / 2


def _borders(ordered: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return where each cluster's interval starts, and the end."""
    inner = np.searchsorted(ordered, _midpoints(centroids), side="right")
    return np.concatenate([[0], inner, [ordered.size]])
