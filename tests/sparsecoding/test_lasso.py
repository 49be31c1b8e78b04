import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.errors import DataError, ShapeError, SpecError
from gossamer.sparsecoding.lasso import Lasso, soft_threshold


@st.composite
def points(draw):
    """A problem and two sets of codes that have nothing to do with it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    signals, length, atoms = (draw(st.integers(1, size)) for size in (4, 8, 10))
    lasso = Lasso(rng.standard_normal((length, atoms)), draw(st.sampled_from([0.01, 0.3, 5.0])))
    codes, others = rng.standard_normal((2, signals, atoms)) * (rng.random((2, 1, 1)) ** 4)
    return lasso, rng.standard_normal((signals, length)), codes, others


def test_soft_threshold_is_the_proximal_operator():
    grid = np.linspace(-5, 5, 2001)
    for value in (-2.3, -0.4, 0.0, 0.7, 0.71, 3.0):
        best = grid[np.argmin(0.5 * (grid - value) ** 2 + 0.7 * np.abs(grid))]
        assert soft_threshold(np.array([value]), 0.7)[0] == pytest.approx(best, abs=0.0026)
    kept = soft_threshold(np.array([-0.7, 0.7, 0.1, -0.1]), 0.7)
    assert not kept.any()
    assert not np.signbit(kept).any()


@settings(max_examples=20)
@given(point=points())
def test_the_objective_is_the_formula(point):
    lasso, signals, codes, _ = point
    for x, alpha, value in zip(signals, codes, lasso.objectives(signals, codes), strict=True):
        residual = x - lasso.dictionary @ alpha
        assert value == pytest.approx(
            0.5 * residual @ residual + lasso.penalty * sum(map(abs, alpha))
        )


@settings(max_examples=20)
@given(point=points())
def test_the_gap_is_objective_minus_dual_at_a_feasible_point(point):
    lasso, signals, codes, _ = point
    theta = lasso.dual_points(signals, codes)
    assert (np.abs(theta @ lasso.dictionary) <= lasso.penalty * (1 + 1e-12)).all()
    dual = 0.5 * (signals**2).sum(1) - 0.5 * ((signals - theta) ** 2).sum(1)
    objectives = lasso.objectives(signals, codes)
    np.testing.assert_allclose(
        lasso.gaps(signals, codes), objectives - dual, atol=1e-12 * (1 + objectives.max())
    )


@settings(max_examples=20)
@given(point=points())
def test_no_codes_are_better_than_the_gap_allows(point):
    lasso, signals, codes, others = point
    bound = lasso.objectives(signals, codes) - lasso.gaps(signals, codes)
    assert (lasso.objectives(signals, others) >= bound - 1e-12).all()
    assert (lasso.objectives(signals, np.zeros_like(codes)) >= bound - 1e-12).all()


@settings(max_examples=20)
@given(point=points())
def test_zeros_are_best_exactly_from_the_largest_penalty_on(point):
    lasso, signals, codes, _ = point
    signal, nothing = signals[:1], np.zeros((1, codes.shape[1]))
    largest = lasso.largest_penalties(signal)[0]
    assert Lasso(lasso.dictionary, largest).gaps(signal, nothing) == 0
    assert Lasso(lasso.dictionary, 0.99 * largest).gaps(signal, nothing) > 0


@settings(max_examples=20)
@given(point=points())
def test_a_gradient_step_is_a_layer(point):
    lasso, signals, codes, _ = point
    filters, inhibition, threshold = lasso.gradient_step
    largest = np.linalg.eigvalsh(lasso.dictionary.T @ lasso.dictionary)[-1]
    assert lasso.curvature == pytest.approx(largest)
    slopes = (codes @ lasso.dictionary.T - signals) @ lasso.dictionary
    np.testing.assert_allclose(
        soft_threshold(signals @ filters + codes @ inhibition, threshold),
        soft_threshold(codes - slopes / largest, lasso.penalty / largest),
        atol=1e-12,
    )


def test_small_gaps_are_not_lost_in_rounding():
    lasso = Lasso(np.array([[1.0]]), 0.5)
    for distance in (1e-3, 1e-5, 1e-7):  # from the best code, 1 − λ: the gap is then d²/2 + λ·d·…
        above, below = lasso.gaps([[1.0], [1.0]], [[0.5 + distance], [0.5 - distance]])
        # Residual λ ∓ d: inside, the slack α·d; outside, θ = λ and ½d² is all that is lost.
        assert above == pytest.approx((0.5 + distance) * distance, rel=1e-6)
        assert below == pytest.approx(0.5 * distance**2, rel=1e-6)


def test_without_a_penalty_the_certificate_is_the_residual():
    lasso = Lasso(np.eye(2), 0.0)
    assert lasso.gaps([[1.0, 2.0], [1.0, 2.0]], [[1.0, 0.0], [1.0, 2.0]]).tolist() == [2.0, 0.0]


def test_a_problem_does_not_change_with_its_callers_array():
    dictionary = np.eye(2)
    lasso = Lasso(dictionary, 1.0)
    dictionary[:] = 5.0
    assert np.array_equal(lasso.gram, np.eye(2))


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0), (2, 3, 4)])
def test_a_dictionary_has_atoms(shape):
    with pytest.raises(ShapeError, match=r"^dictionary: "):
        Lasso(np.ones(shape), 1.0)


@pytest.mark.parametrize("length", [0.0, 1e-51])
def test_a_zero_atom_is_named(length):
    dictionary = np.eye(3)
    dictionary[1, 1] = length
    with pytest.raises(DataError, match=r"^dictionary\[:, 1\]: a zero atom"):
        Lasso(dictionary, 1.0)


def test_other_bad_arguments_are_refused():
    with pytest.raises(DataError, match=r"^dictionary\[0, 1\]: "):
        Lasso([[1.0, np.inf]], 1.0)
    for penalty in (-1.0, np.nan, "much"):
        with pytest.raises(SpecError, match=r"^penalty: "):
            Lasso(np.eye(2), penalty)
    lasso = Lasso(np.eye(2), 1.0)
    for method in (lasso.objectives, lasso.gaps, lasso.dual_points):
        with pytest.raises(ShapeError, match=r"^codes: .*expected \(1, 2\)"):
            method(np.ones((1, 2)), np.ones((2, 2)))
        with pytest.raises(ShapeError, match=r"^signals: .*expected \(N, 2\)"):
            method(np.ones((1, 3)), np.ones((1, 2)))
