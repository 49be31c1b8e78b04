import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gossamer.compress.cluster.kmeans import INITS, kmeans_1d, nearest
from gossamer.compress.cluster.optimal import optimal_1d

numbers = st.floats(-100, 100, allow_nan=False, width=32)
arrays = st.lists(numbers, min_size=1, max_size=25).map(np.array)


def cost(values, centroids, weights=None):
    squares = (values - centroids[nearest(values, centroids)]) ** 2
    return float((squares if weights is None else squares * weights).sum())


def brute_force(values, clusters):
    """The least cost over all ways to cut the sorted values, by the plain recursion."""
    x = np.sort(values)
    within = [[((x[i:j] - x[i:j].mean()) ** 2).sum() if j > i else 0.0 for j in range(len(x) + 1)]
              for i in range(len(x) + 1)]  # fmt: skip
    table = [within[0][j] for j in range(len(x) + 1)]
    for _ in range(clusters - 1):
        table = [min(table[i] + within[i][j] for i in range(j + 1)) for j in range(len(x) + 1)]
    return table[-1]


@settings(max_examples=80)
@given(values=arrays, clusters=st.integers(1, 8))
@example(values=np.array([0.0, 1.5, np.finfo(np.float32).tiny]), clusters=3)
def test_the_optimum(values, clusters):
    centroids = optimal_1d(values, clusters)
    assert 1 <= len(centroids) <= clusters
    assert (np.diff(centroids) > 0).all()
    best = brute_force(values, clusters)
    assert cost(values, centroids) == pytest.approx(best, rel=1e-6, abs=1e-6)


@settings(max_examples=40)
@given(values=arrays, clusters=st.integers(1, 5), seed=st.integers(0, 99))
def test_weights_are_repetitions(values, clusters, seed):
    counts = np.random.default_rng(seed).integers(1, 4, len(values))
    weighted = optimal_1d(values, clusters, weights=counts)
    repeated = np.repeat(values, counts)
    found = cost(values, weighted, counts)
    assert found == pytest.approx(brute_force(repeated, clusters), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("clusters", [2, 5, 16])
def test_lloyd_is_never_better(clusters):
    rng = np.random.default_rng(0)
    values = rng.choice([-1, 1], 2000) * (0.1 + rng.exponential(0.2, 2000))
    best = cost(values, optimal_1d(values, clusters))
    for init in INITS:
        found = cost(values, kmeans_1d(values, clusters, init=init, rng=rng))
        assert found >= best * (1 - 1e-9)
    assert cost(values, kmeans_1d(values, clusters, init="optimal")) == pytest.approx(best)


def test_many_values_are_merged_first():
    values = np.random.default_rng(0).standard_normal(5000)
    exact, merged = optimal_1d(values, 8), optimal_1d(values, 8, cells=500)
    assert len(merged) == 8
    assert cost(values, exact) <= cost(values, merged) <= 1.001 * cost(values, exact)


def test_enough_clusters_reproduce_the_values():
    assert optimal_1d(np.array([2.0, -1.0, 2.0, 0.5]), 9).tolist() == [-1.0, 0.5, 2.0]
    assert optimal_1d(np.full((2, 2), 0.25), 3).tolist() == [0.25]
    assert optimal_1d(np.arange(4.0), 1).tolist() == [1.5]


def test_values_far_from_zero_lose_no_digits():
    values = 1e6 + np.array([0.0, 0.1, 5.0, 5.1])
    np.testing.assert_allclose(optimal_1d(values, 2), [1e6 + 0.05, 1e6 + 5.05], rtol=0, atol=1e-6)
