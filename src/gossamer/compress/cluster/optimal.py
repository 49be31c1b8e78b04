"""The best clusters of one-dimensional values, by dynamic programming."""

from __future__ import annotations

import numpy as np

_CELLS = 2**14


def optimal_1d(
    values: np.ndarray,
    clusters: int,
    *,
    weights: np.ndarray | None = None,
    cells: int = _CELLS,
) -> np.ndarray:
    """Return the centroids with the least sum of squared distances, ascending.

    The best k clusters of the first j values end with an interval i…j behind the best k − 1 of the
    first i, and the best i does not fall as j grows: for each k, all j by divide and conquer,
    O(k n log n) in all for n distinct values.

    Source: Wang & Song, "Ckmeans.1d.dp", 2011; the divide and conquer, and SMAWK, which has no
    logarithm and is slower in numpy: Grønlund et al., "Fast Exact k-Means, k-Medians and Bregman
    Divergence Clustering in 1D", 2017.

    Args:
        values: finite, of any shape, not empty.
        clusters: k ≥ 1; fewer centroids come back if there are fewer distinct values.
        weights: how much each value counts, of the same shape, > 0; all the same unless given.
        cells: of more distinct values than these, neighbours are merged into so many first.

    Returns:
        float64 (≤ k,).

    Examples:
        >>> optimal_1d(np.array([0.0, 0.1, 0.2, 5.0, 5.1, 9.0]), 3)
        array([0.1 , 5.05, 9.  ])
        >>> optimal_1d(np.array([0.0, 1.0, 5.0]), 2, weights=np.array([1.0, 3.0, 1.0]))
        array([0.75, 5.  ])
    """
    points, mass = _distinct(values, weights)
    centre = np.average(points, weights=mass)
    points, mass = _merged(points - centre, mass, cells)  # centred: sums of squares cancel less
    sums = _Sums(points, mass)
    borders = [len(points)]
    for starts_by_end in reversed(_last_starts(sums, min(clusters, len(points)))):
        borders.append(int(starts_by_end[borders[-1]]))
    starts = np.unique(borders)[:-1]
    means = np.add.reduceat(points * mass, starts) / np.add.reduceat(mass, starts)
    return np.unique(means + centre)  # what lies closer than rounding is one


def _distinct(values: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    flat = values.ravel().astype(np.float64)
    if weights is None:
        points, counts = np.unique(flat, return_counts=True)
        return points, counts.astype(np.float64)
    points, places = np.unique(flat, return_inverse=True)
    return points, np.bincount(places, weights.ravel().astype(np.float64))


def _merged(points: np.ndarray, mass: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means and masses of equally many neighbours each, if there are too many points."""
    if len(points) <= cells:
        return points, mass
    starts = np.unique(np.linspace(0, len(points), cells, endpoint=False).astype(np.int64))
    merged = np.add.reduceat(mass, starts)
    return np.add.reduceat(points * mass, starts) / merged, merged


class _Sums:
    """Prefix sums, from which follows what one cluster of an interval costs."""

    def __init__(self, points: np.ndarray, mass: np.ndarray) -> None:
        self.zeroth, self.first, self.second = (
            np.concatenate([[0.0], np.cumsum(mass * points**power)]) for power in (0, 1, 2)
        )

    def cost(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return Σ m·(x − mean)² over start…stop; 0 for no points."""
        mass = self.zeroth[stop] - self.zeroth[start]
        first = self.first[stop] - self.first[start]
        second = self.second[stop] - self.second[start]
        return np.maximum(second - first**2 / np.where(mass > 0, mass, 1.0), 0.0)


def _last_starts(sums: _Sums, clusters: int) -> list[np.ndarray]:
    """Return for each number of clusters, from one, where the last of them starts, by its end."""
    count = len(sums.zeroth)
    costs = sums.cost(np.zeros(count, np.int64), np.arange(count))
    all_starts = [np.zeros(count, np.int64)]
    for _ in range(clusters - 1):
        costs, starts = _add_cluster(sums, costs)
        all_starts.append(starts)
    return all_starts


def _add_cluster(sums: _Sums, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the costs with one cluster more, by end, and where that cluster starts.

    Ends are taken in rounds, the odd multiples of a step that is halved; the best start of each
    lies between those of its neighbours, which are multiples of the step before.
    """
    count = len(costs)
    best = np.zeros(count)
    size = 1 << count.bit_length()
    starts = np.full(size + 1, count - 1)  # of end j at j + 1, a bound until it is known
    starts[0] = 0
    step = size // 2
    while step:
        places = np.arange(step, count + 1, 2 * step)
        ends = places - 1
        high = np.minimum(starts[places + step], ends)
        best[ends], starts[places] = _cheapest(sums, costs, ends, starts[places - step], high)
        step //= 2
    return best, starts[1 : count + 1]


def _cheapest(
    sums: _Sums, costs: np.ndarray, ends: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each end the least cost, and the first start in low…high that has it."""
    lengths = high - low + 1
    first = np.cumsum(lengths) - lengths
    owners = np.repeat(np.arange(len(ends)), lengths)
    starts = np.arange(lengths.sum()) + (low - first)[owners]
    totals = costs[starts] + sums.cost(starts, ends[owners])
    least = np.minimum.reduceat(totals, first)
    hits = np.flatnonzero(totals == least[owners])[::-1]
    chosen = np.empty(len(ends), np.int64)
    chosen[owners[hits]] = starts[hits]  # the first of several is written last
    return least, chosen
