import numpy as np

from gossamer.sparsecoding.coder import Stop
from gossamer.sparsecoding.iterate import iterate
from gossamer.sparsecoding.lasso import Lasso


def halve(sizes):
    """Return a step that goes half of what is left, and notes how many signals it was given."""

    def step(codes, best):
        sizes.append(len(codes))
        return (codes + best) / 2, best

    return step


def run(stop, check_every=1):
    """Signals whose first codes are the farther from the best ones, the later they come."""
    lasso, best = Lasso(np.eye(1), 1.0), np.array([[4.0], [4.0], [4.0]])
    start, sizes = best - [[0.0], [2.0], [4.0]], []
    return iterate(lasso, best + 1, (start, best), halve(sizes), stop, check_every), sizes


def test_a_signal_that_is_done_leaves():
    found, sizes = run(Stop(1e-3))
    # Below the best by d, the gap is d²/2: within 0.0125 at d ≤ 0.158, after 4 and 5 halvings.
    assert found.iterations.tolist() == [0, 4, 5]
    assert found.codes[:, 0].tolist() == [4.0, 4 - 2 / 16, 4 - 4 / 32]
    np.testing.assert_allclose(found.gaps, [0.0, 0.125**2 / 2, 0.125**2 / 2], rtol=1e-12)
    assert sizes == [2, 2, 2, 2, 1]
    assert found.converged.all()


def test_gaps_are_looked_at_every_few_iterations_and_at_the_limit():
    found, sizes = run(Stop(1e-3), check_every=3)
    assert found.iterations.tolist() == [0, 6, 6]
    found, sizes = run(Stop(1e-3, most_iterations=4), check_every=3)
    assert found.iterations.tolist() == [0, 4, 4]
    assert found.converged.tolist() == [True, True, False]
    assert len(sizes) == 4
    np.testing.assert_allclose(found.gaps[2], 0.25**2 / 2, rtol=1e-12)
