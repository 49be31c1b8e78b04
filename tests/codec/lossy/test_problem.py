import numpy as np

from gossamer.codec.lossy.options import LossyOptions
from gossamer.codec.lossy.problem import layer_problem
from gossamer.graph import Node
from gossamer.graph.ops import Conv2d, Linear

EXACT = LossyOptions(damping=1e-9)


def linear(rng):
    weights = {"weight": rng.standard_normal((3, 5)).astype(np.float32)}
    weights["bias"] = rng.standard_normal(3).astype(np.float32)
    return Node("l", Linear(), ("x",), {}), weights


def test_unchanged_inputs_want_unchanged_weights(rng):
    node, weights = linear(rng)
    x = rng.standard_normal((40, 5)).astype(np.float32)
    for options in (EXACT, LossyOptions(damping=0.5)):
        problem = layer_problem(node, weights, x, x, options)
        np.testing.assert_allclose(problem.target[0], weights["weight"], atol=1e-4)
        np.testing.assert_allclose(problem.bias(problem.target)[0], weights["bias"], atol=1e-4)


def test_the_target_is_the_least_squares_fit_and_errors_are_on_top_of_its(rng):
    node, weights = linear(rng)
    before = rng.standard_normal((60, 5)).astype(np.float32)
    now = (before + rng.normal(0.3, 0.2, before.shape)).astype(np.float32)
    wanted = before @ weights["weight"].T + weights["bias"]
    problem = layer_problem(node, weights, before, now, EXACT)

    def squared(filters):
        given = now @ filters[0].T + problem.bias(filters)
        return ((given - wanted) ** 2).mean(axis=0)

    ones = np.column_stack([now, np.ones(len(now))])
    fit = np.linalg.lstsq(ones, wanted, rcond=None)[0]
    np.testing.assert_allclose(problem.target[0], fit[:-1].T, atol=1e-4)
    other = problem.target + rng.normal(0, 0.1, problem.target.shape)
    extra = squared(other) - squared(problem.target)
    np.testing.assert_allclose(problem.errors(other)[0], extra, rtol=1e-3, atol=1e-6)


def test_windows_of_a_convolution_are_taken_from_all_images(rng):
    weights = {"weight": rng.standard_normal((4, 2, 3, 3)).astype(np.float32)}
    weights["weight"][1, 1] = 0
    node = Node("c", Conv2d(padding=(1, 1, 1, 1), groups=2), ("x",), {})
    x = rng.standard_normal((40, 4, 6, 6)).astype(np.float32)
    whole = layer_problem(node, weights, x, x, LossyOptions())
    some = layer_problem(node, weights, x, x, LossyOptions(places=700))
    assert whole.curvature.shape == (2, 18, 18)
    assert whole.fixed.sum() == 9
    np.testing.assert_allclose(some.curvature, whole.curvature, atol=0.4)
    assert not np.array_equal(some.curvature, whole.curvature)


def test_inputs_that_are_never_anything_but_zero_do_no_harm(rng):
    node, weights = linear(rng)
    problem = layer_problem(node, weights, np.zeros((8, 5)), np.zeros((8, 5)), LossyOptions())
    assert np.isfinite(problem.target).all()
    assert np.linalg.eigvalsh(problem.curvature).min() > 0
