import numpy as np
import pytest

from gossamer.errors import DataError, ShapeError, SpecError
from gossamer.sparsecoding.coder import Stop
from gossamer.sparsecoding.ista import Ista
from gossamer.sparsecoding.lasso import Lasso
from gossamer.sparsecoding.lista import Lista


@pytest.mark.parametrize("layers", [1, 2, 3, 10, 33])
@pytest.mark.parametrize("seed", range(3))
def test_at_its_start_it_is_as_many_steps_of_ista_exactly(layers, seed):
    rng = np.random.default_rng(seed)
    dictionary, signals = rng.standard_normal((10, 16)), rng.standard_normal((6, 10))
    steps = Ista(Stop(0.0, layers))(Lasso(dictionary, 0.5), signals)
    assert (steps.iterations == layers).all()
    assert steps.codes.any()
    assert np.array_equal(Lista.from_dictionary(dictionary, 0.5, layers)(signals), steps.codes)


def test_each_layer_is_the_published_one():
    rng = np.random.default_rng(0)
    filters, inhibition = rng.standard_normal((5, 7)), rng.standard_normal((7, 7))
    thresholds = rng.random(7)
    x = rng.standard_normal(5)

    def h(values):
        return np.sign(values) * np.maximum(np.abs(values) - thresholds, 0)

    expected = h(filters.T @ x)
    for _ in range(2):
        expected = h(filters.T @ x + inhibition.T @ expected)
    codes = Lista(filters, inhibition, thresholds, layers=3)([x])
    np.testing.assert_allclose(codes[0], expected, atol=1e-12)


def test_bad_arguments_are_refused():
    square, ones = np.eye(2), np.ones(2)
    for arrays, where in (
        ((np.eye(3), square, ones), "inhibition"),
        ((square, square, 1.0), "thresholds"),
        ((np.ones((2, 0)), np.ones((0, 0)), np.ones(0)), "filters"),
    ):
        with pytest.raises(ShapeError, match=rf"^{where}: "):
            Lista(*arrays, layers=1)
    with pytest.raises(SpecError, match=r"^thresholds: below 0"):
        Lista(square, square, -ones, 1)
    with pytest.raises(SpecError, match=r"^layers: "):
        Lista(square, square, ones, 0)
    with pytest.raises(DataError, match=r"^filters\[0, 1\]: "):
        Lista([[1.0, np.nan], [0.0, 1.0]], square, ones, 1)
    with pytest.raises(ShapeError, match=r"^signals: .*expected \(N, 2\)"):
        Lista(square, square, ones, 1)(np.ones((1, 3)))
