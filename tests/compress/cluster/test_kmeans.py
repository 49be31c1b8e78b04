import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.compress.cluster.kmeans import INITS, kmeans_1d, nearest

arrays = st.lists(st.floats(-100, 100, allow_nan=False, width=32), min_size=1, max_size=30).map(
    np.array
)


def cost(values: np.ndarray, centroids: np.ndarray) -> float:
    return float(((values - centroids[nearest(values, centroids)]) ** 2).sum())


def optimal_cost(values: np.ndarray, clusters: int) -> float:
    """The global optimum: clusters are intervals of the sorted values (Wang & Song 2011)."""
    x = np.sort(values)
    n = len(x)

    within = np.zeros((n + 1, n + 1))
    for i in range(n):
        for j in range(i + 1, n + 1):
            within[i, j] = ((x[i:j] - x[i:j].mean()) ** 2).sum()
    table = within[0]
    for _ in range(clusters - 1):
        table = np.array([(table[: j + 1] + within[: j + 1, j]).min() for j in range(n + 1)])
    return float(table[n])


@settings(max_examples=50, deadline=None)
@given(values=arrays, clusters=st.integers(1, 6), init=st.sampled_from(INITS))
def test_a_fixed_point_that_is_no_better_than_the_optimum(values, clusters, init):
    centroids = kmeans_1d(values, clusters, init=init, rng=np.random.default_rng(0))
    assert 1 <= len(centroids) <= clusters
    assert (np.diff(centroids) >= 0).all()
    found = cost(values, centroids)
    assert found >= optimal_cost(values, clusters) - 1e-6 * (1 + found)
    codes = nearest(values, centroids)
    means = [
        values[codes == code].mean() for code in range(len(centroids)) if (codes == code).any()
    ]
    np.testing.assert_allclose(centroids, means, atol=1e-6)


@pytest.mark.parametrize("init", INITS)
def test_separated_groups_are_found_exactly(init):
    rng = np.random.default_rng(0)
    values = np.concatenate([c + 0.01 * rng.standard_normal(20) for c in (-3, 0.5, 4)])
    centroids = kmeans_1d(values, 3, init=init, rng=np.random.default_rng(1))
    if init == "random":  # may start with two centroids in one group: the optimum is a bound only
        assert cost(values, centroids) >= optimal_cost(values, 3) - 1e-9
    else:
        assert cost(values, centroids) == pytest.approx(optimal_cost(values, 3))


def test_near_the_optimum_on_weights():
    # Lloyd from a linear start, on what pruned weights look like: two lobes without a middle.
    for seed in range(5):
        rng = np.random.default_rng(seed)
        values = rng.choice([-1, 1], 120) * (0.3 + rng.exponential(0.2, 120))
        assert cost(values, kmeans_1d(values, 8)) <= 2 * optimal_cost(values, 8)


def test_enough_clusters_reproduce_the_values():
    values = np.array([0.5, -1.0, 2.0, 2.0])
    assert kmeans_1d(values, 16, init="linear").tolist() == [-1.0, 0.5, 2.0]


def test_one_value_gives_one_centroid():
    for init in INITS:
        assert kmeans_1d(np.full(5, 0.25), 4, init=init).tolist() == [0.25]


def test_nearest_agrees_with_brute_force():
    rng = np.random.default_rng(0)
    values, centroids = rng.standard_normal((7, 9)), np.sort(rng.standard_normal(5))
    expected = np.abs(values[..., None] - centroids).argmin(-1)
    assert np.array_equal(nearest(values, centroids), expected)
