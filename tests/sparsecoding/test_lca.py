import numpy as np
import pytest

from gossamer.errors import SpecError
from gossamer.sparsecoding.coder import Stop
from gossamer.sparsecoding.coordinate import CoordinateDescent
from gossamer.sparsecoding.lasso import Lasso, soft_threshold
from gossamer.sparsecoding.lca import LocallyCompetitive


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    dictionary = rng.standard_normal((20, 16))
    dictionary /= np.linalg.norm(dictionary, axis=0)
    return Lasso(dictionary, 0.2), rng.standard_normal((4, 20))


def euler(lasso, signals, potentials, steps, time_constant):
    """Return potentials after steps of the published equations, for atoms of length 1."""
    for _ in range(steps):
        codes = soft_threshold(potentials, lasso.penalty)
        inhibition = codes @ (lasso.dictionary.T @ lasso.dictionary - np.eye(16))
        drive = signals @ lasso.dictionary
        potentials = potentials + (drive - potentials - inhibition) / time_constant
    return potentials


def test_its_steps_are_the_published_ones(problem):
    lasso, signals = problem
    potentials = euler(lasso, signals, np.zeros((4, 16)), 30, time_constant=10.0)
    found = LocallyCompetitive(10.0, Stop(0.0, 30))(lasso, signals)
    expected = soft_threshold(potentials, lasso.penalty)
    np.testing.assert_allclose(found.codes, expected, atol=1e-12)
    assert expected.any()


def test_the_fixed_point_is_the_lasso(problem):
    lasso, signals = problem
    best = CoordinateDescent(Stop(1e-14))(lasso, signals).codes
    potentials = best + (signals - best @ lasso.dictionary.T) @ lasso.dictionary
    np.testing.assert_allclose(soft_threshold(potentials, lasso.penalty), best, atol=1e-6)
    moved = euler(lasso, signals, potentials, 1, time_constant=1.0)
    np.testing.assert_allclose(moved, potentials, atol=1e-6)


@pytest.mark.parametrize("time_constant", [None, 5.0, 100.0])
def test_it_comes_to_rest_at_the_lasso(problem, time_constant):
    lasso, signals = problem
    found = LocallyCompetitive(time_constant, Stop(1e-13, 50_000))(lasso, signals)
    assert found.converged.all()
    best = CoordinateDescent(Stop(1e-13))(lasso, signals)
    np.testing.assert_allclose(found.codes, best.codes, atol=1e-6)


def test_steps_that_would_overshoot_are_refused(problem):
    lasso, signals = problem
    with pytest.raises(SpecError, match=r"^time_constant: .*got 1.0, expected more than"):
        LocallyCompetitive(1.0)(lasso, signals)
    with pytest.raises(SpecError, match=r"^time_constant: out of range"):
        LocallyCompetitive(-1.0)
