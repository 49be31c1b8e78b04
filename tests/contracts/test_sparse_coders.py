"""What every sparse coder promises, checked over the registry."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import sparse_encode

from gossamer.errors import DataError, ShapeError, SpecError, UnknownNameError
from gossamer.sparsecoding.coder import Stop
from gossamer.sparsecoding.lasso import Lasso
from gossamer.sparsecoding.registry import SPARSE_CODERS

ALL = pytest.mark.parametrize("name", list(SPARSE_CODERS))
TIGHT = Stop(tolerance=1e-13)


def problem(seed=0, signals=4, length=24, atoms=32, penalty=0.15, unit=True):
    """Signals of length 1, so that gaps are relative ones, over atoms of length 1 or others."""
    rng = np.random.default_rng(seed)
    dictionary = rng.standard_normal((length, atoms))
    rows = rng.standard_normal((signals, length))
    if unit:
        dictionary /= np.linalg.norm(dictionary, axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Lasso(dictionary, penalty), rows


def coder(name, stop=TIGHT):
    return SPARSE_CODERS[name](stop=stop)


@st.composite
def problems(draw):
    return problem(
        seed=draw(st.integers(0, 2**32 - 1)),
        signals=draw(st.integers(1, 4)),
        length=draw(st.integers(1, 8)),
        atoms=draw(st.integers(1, 10)),
        penalty=draw(st.sampled_from([0.03, 0.1, 0.3, 0.9, 2.0])),
        unit=draw(st.booleans()),
    )


def test_an_unknown_coder_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'ista' or 'fista'"):
        SPARSE_CODERS["iista"]


@ALL
@pytest.mark.parametrize("penalty", [0.1, 0.15, 0.3])
def test_the_gap_closes_and_the_optimality_conditions_hold(name, penalty):
    lasso, signals = problem(penalty=penalty)
    found = coder(name)(lasso, signals)
    assert found.converged.all()
    assert (found.gaps <= 1e-6).all()
    slopes = (signals - found.codes @ lasso.dictionary.T) @ lasso.dictionary
    # P is strongly convex in the residual, so that slopes are within √(2·gap) < 5e-7 of the best.
    assert (np.abs(slopes) <= penalty + 1e-6).all()
    support = np.abs(found.codes) > 1e-6
    assert np.abs(slopes - penalty * np.sign(found.codes))[support].max() <= 1e-6
    assert 0 < support.sum() < support.size


@pytest.mark.parametrize(("penalty", "unit"), [(0.1, True), (0.3, True), (0.8, False)])
def test_all_find_the_same(penalty, unit):
    lasso, signals = problem(seed=1, penalty=penalty, unit=unit)
    found = [coder(name)(lasso, signals).codes for name in SPARSE_CODERS]
    for codes in found[1:]:
        np.testing.assert_allclose(codes, found[0], atol=1e-6)
        objectives, first = (lasso.objectives(signals, each) for each in (codes, found[0]))
        np.testing.assert_allclose(objectives, first, atol=1e-12)


@ALL
@pytest.mark.parametrize("algorithm", ["lasso_cd", "lasso_lars"])
def test_scikit_learn_finds_the_same(name, algorithm):
    lasso, signals = problem(seed=2)
    theirs = sparse_encode(signals, lasso.dictionary.T, algorithm=algorithm, alpha=lasso.penalty)
    ours = coder(name)(lasso, signals)
    # They end descent at a gap of 1e-8 for signals of length 1, as we bound it; paths are exact.
    assert (lasso.gaps(signals, theirs) <= 1e-8).all()
    assert (ours.gaps <= lasso.gaps(signals, theirs) + 1e-13).all()
    np.testing.assert_allclose(ours.codes, theirs, atol=1e-6 if algorithm == "lasso_lars" else 1e-3)


@ALL
@settings(max_examples=10)
@given(given_problem=problems())
def test_on_any_problem_what_is_said_of_the_codes_is_true(name, given_problem):
    lasso, signals = given_problem
    found = coder(name, Stop(tolerance=1e-4, most_iterations=200))(lasso, signals)
    objectives = lasso.objectives(signals, found.codes)
    np.testing.assert_allclose(found.gaps, lasso.gaps(signals, found.codes), atol=1e-12)
    assert (found.converged == (found.gaps <= 0.5e-4 * (signals**2).sum(1))).all()
    assert (found.converged | (found.iterations == 200)).all()
    # What another coder finds is not better than the gap allows.
    others = lasso.objectives(signals, coder("fista", Stop(1e-9, 1000))(lasso, signals).codes)
    assert (objectives - found.gaps <= others + 1e-12).all()


@ALL
@settings(max_examples=10)
@given(given_problem=problems(), factor=st.sampled_from([1.0, 1.0 + 1e-9, 1.5, 1e6]))
def test_from_the_largest_penalty_on_all_codes_are_zero(name, given_problem, factor):
    lasso, signals = given_problem
    largest = lasso.largest_penalties(signals).max()
    found = coder(name, Stop(0.0, 50))(replace(lasso, penalty=factor * largest), signals)
    assert not found.codes.any()
    assert not found.gaps.any()
    assert found.converged.all()


@ALL
def test_just_below_the_largest_penalty_there_is_a_code(name):
    lasso, signals = problem(signals=1)
    below = replace(lasso, penalty=lasso.largest_penalties(signals)[0] * (1 - 1e-3))
    assert (coder(name)(below, signals).codes != 0).sum() == 1


@ALL
def test_without_a_penalty_a_signal_comes_back(name):
    lasso, signals = problem(penalty=0.0)
    found = coder(name, Stop(1e-10, 50_000))(lasso, signals)
    assert found.converged.all()
    np.testing.assert_allclose(found.codes @ lasso.dictionary.T, signals, atol=1e-5)


@ALL
def test_signals_do_not_know_each_other(name):
    lasso, signals = problem(signals=3)
    together = coder(name)(lasso, signals)
    for row, signal in enumerate(signals):
        alone = coder(name)(lasso, signal[None])
        np.testing.assert_allclose(alone.codes[0], together.codes[row], atol=1e-6)


@ALL
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_atoms_may_have_any_length(name, scale):
    lasso, signals = problem()
    scaled = Lasso(scale * lasso.dictionary, scale * lasso.penalty)
    found = coder(name)(scaled, signals)
    assert found.converged.all()
    np.testing.assert_allclose(scale * found.codes, coder(name)(lasso, signals).codes, atol=1e-6)


@ALL
def test_a_limit_that_is_reached_is_said(name):
    lasso, signals = problem(penalty=0.05)
    silent = np.zeros((1, signals.shape[1]))
    found = coder(name, Stop(1e-13, 3))(lasso, np.concatenate([signals, silent]))
    assert found.converged.tolist() == [False] * len(signals) + [True]
    assert found.iterations.tolist() == [3] * len(signals) + [0]
    np.testing.assert_allclose(found.gaps[:-1], lasso.gaps(signals, found.codes[:-1]), rtol=1e-9)
    assert (found.gaps[:-1] > 1e-13).all()


@ALL
def test_same_atoms_twice_and_no_signals(name):
    lasso, signals = problem()
    doubled = Lasso(np.repeat(lasso.dictionary, 2, axis=1), lasso.penalty)
    found, single = coder(name)(doubled, signals), coder(name)(lasso, signals)
    assert found.converged.all()
    np.testing.assert_allclose(found.codes[:, ::2] + found.codes[:, 1::2], single.codes, atol=1e-6)
    assert coder(name)(lasso, np.zeros((0, 24))).codes.shape == (0, 32)


@ALL
def test_what_was_given_stays_as_it_was(name):
    lasso, signals = problem()
    before = signals.copy()
    first = coder(name)(lasso, signals).codes
    assert np.array_equal(signals, before)
    assert np.array_equal(first, coder(name)(lasso, signals).codes)


@ALL
def test_bad_signals_are_refused(name):
    lasso, signals = problem()
    with pytest.raises(ShapeError, match=r"signals: wrong shape \(got \(4, 23\), expected \(N, 24"):
        coder(name)(lasso, signals[:, 1:])
    signals[2, 3] = np.nan
    with pytest.raises(DataError, match=r"signals\[2, 3\]: .*got nan"):
        coder(name)(lasso, signals)


@pytest.mark.parametrize(
    "options", [{"tolerance": -1.0}, {"tolerance": np.nan}, {"most_iterations": 0}]
)
def test_a_stop_that_is_none_is_refused(options):
    with pytest.raises(SpecError, match=next(iter(options))):
        Stop(**options)
