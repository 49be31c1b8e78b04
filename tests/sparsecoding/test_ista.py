import numpy as np
import pytest

from gossamer.sparsecoding.coder import Stop
from gossamer.sparsecoding.coordinate import CoordinateDescent
from gossamer.sparsecoding.ista import Fista, Ista
from gossamer.sparsecoding.lasso import Lasso


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((10, 1))  # makes atoms alike, and ISTA slow
    return Lasso(rng.standard_normal((10, 16)) + shared, 2.0), rng.standard_normal((4, 10))


def after(coder, steps, problem):
    return coder(Stop(0.0, steps))(*problem).codes


def shrink(values, threshold):
    return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)


def test_ista_is_the_published_iteration(problem):
    lasso, signals = problem
    dictionary, largest = lasso.dictionary, np.linalg.eigvalsh(lasso.gram)[-1]
    for row, x in enumerate(signals):
        alpha = np.zeros(16)
        for _ in range(12):
            slope = dictionary.T @ (dictionary @ alpha - x)
            alpha = shrink(alpha - slope / largest, lasso.penalty / largest)
        np.testing.assert_allclose(after(Ista, 12, problem)[row], alpha, atol=1e-12)


def test_fista_is_the_published_iteration_with_restarts(problem):
    lasso, signals = problem
    dictionary, largest = lasso.dictionary, np.linalg.eigvalsh(lasso.gram)[-1]
    restarts = 0
    for row, x in enumerate(signals):
        alpha = ahead = np.zeros(16)
        pace = 1.0
        for _ in range(60):
            slope = dictionary.T @ (dictionary @ ahead - x)
            new = shrink(ahead - slope / largest, lasso.penalty / largest)
            following = (1 + np.sqrt(1 + 4 * pace**2)) / 2
            if (ahead - new) @ (new - alpha) > 0:
                restarts += 1
                ahead, pace = new, 1.0
            else:
                ahead, pace = new + (pace - 1) / following * (new - alpha), following
            alpha = new
        np.testing.assert_allclose(after(Fista, 60, problem)[row], alpha, atol=1e-10)
    assert restarts


def test_ista_descends_at_the_rate_of_its_theorem(problem):
    lasso, signals = problem
    best = CoordinateDescent(Stop(1e-13))(lasso, signals).codes
    least, before = lasso.objectives(signals, best), 0.5 * (signals**2).sum(1)
    for steps in (1, 2, 3, 5, 8, 13, 21, 34):
        values = lasso.objectives(signals, after(Ista, steps, problem))
        assert (values <= before + 1e-12).all()
        # Beck & Teboulle 2009, theorem 3.1, from codes that are all 0.
        assert (values - least <= lasso.curvature * (best**2).sum(1) / (2 * steps)).all()
        before = values


def test_looking_ahead_takes_fewer_steps(problem):
    slow, fast = (coder(Stop(1e-6))(*problem) for coder in (Ista, Fista))
    assert slow.converged.all()
    assert fast.converged.all()
    assert fast.iterations.sum() < slow.iterations.sum() / 2
