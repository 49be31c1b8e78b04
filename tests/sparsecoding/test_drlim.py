import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gossamer.errors import DataError, ShapeError, SpecError
from gossamer.sparsecoding.drlim import drlim


def sample(seed=0, pairs=12, width=3, length=5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((width, length)) / 4, rng.standard_normal((pairs, length))


def test_the_loss_is_the_formula():
    weight, differences = sample()
    apart = np.arange(12) % 2 == 1
    expected = 0.0
    for delta, label in zip(differences, apart, strict=True):
        distance = np.sum((weight @ delta) ** 2)
        expected += max(0.0, 0.8 - distance) if label else 0.5 * distance
    assert drlim(weight, differences, apart, 0.8)[0] == pytest.approx(expected)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), margin=st.sampled_from([0.1, 0.5, 1.0, 4.0]))
def test_the_gradient_is_that_of_finite_differences(seed, margin):
    weight, differences = sample(seed)
    apart = np.random.default_rng(seed).random(12) < 0.5
    # Where a distance is the margin there is a corner, which no difference may step across.
    assume((np.abs(((differences @ weight.T) ** 2).sum(1) - margin) > 1e-3).all())
    _, gradient = drlim(weight, differences, apart, margin)
    step = 1e-5
    for place in np.ndindex(*weight.shape):
        moved = np.zeros_like(weight)
        moved[place] = step
        up, down = (
            drlim(w, differences, apart, margin)[0] for w in (weight + moved, weight - moved)
        )
        # Between corners the loss is quadratic: central differences are exact but for rounding.
        assert gradient[place] == pytest.approx((up - down) / (2 * step), abs=1e-8)


def descend(weight, differences, apart, rate, steps):
    sizes, losses = [], []
    for _ in range(steps):
        loss, gradient = drlim(weight, differences, apart)
        losses.append(loss)
        weight = weight - rate * gradient
        sizes.append(np.linalg.norm(weight))
    return weight, np.array(sizes), np.array(losses)


def test_pairs_to_be_close_alone_draw_everything_to_zero():
    weight, differences = sample()
    apart = np.zeros(12, bool)
    weight, sizes, losses = descend(weight, differences, apart, 0.02, 400)
    assert (np.diff(sizes) < 0).all()
    assert (np.diff(losses) < 0).all()
    assert sizes[-1] < 1e-3
    assert np.array_equal(drlim(np.zeros((3, 5)), differences, apart)[1], np.zeros((3, 5)))


def test_pairs_to_be_apart_alone_push_until_all_are_a_margin_away():
    weight, differences = sample()
    apart = np.ones(12, bool)
    weight, sizes, losses = descend(weight, differences, apart, 0.01, 400)
    pushed = losses > 0
    assert (np.diff(sizes, prepend=0)[pushed] > 0).all()
    assert losses[0] > 0
    assert losses[-1] == 0
    assert (((differences @ weight.T) ** 2).sum(1) >= 1).all()
    assert not drlim(weight, differences, apart)[1].any()


def test_from_zero_nothing_moves_and_at_the_margin_nothing_pushes():
    _, differences = sample()
    loss, gradient = drlim(np.zeros((3, 5)), differences, np.ones(12, bool))
    assert loss == 12
    assert not gradient.any()
    loss, gradient = drlim(np.eye(2), [[1.0, 0.0]], np.array([True]), margin=1.0)
    assert loss == 0
    assert not gradient.any()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_rotation_changes_nothing(seed):
    weight, differences = sample(seed)
    rng = np.random.default_rng(seed)
    apart = rng.random(12) < 0.5
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    # A distance that rounding may carry across the margin has two gradients.
    assume((np.abs(((differences @ weight.T) ** 2).sum(1) - 1) > 1e-9).all())
    loss, gradient = drlim(weight, differences, apart)
    turned, turned_gradient = drlim(rotation @ weight, differences, apart)
    assert turned == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(turned_gradient, rotation @ gradient, atol=1e-12)


def test_no_pairs_have_no_loss():
    loss, gradient = drlim(np.eye(2), np.zeros((0, 2)), np.zeros(0, bool))
    assert loss == 0
    assert not gradient.any()


def test_bad_arguments_are_refused():
    weight, differences = sample(pairs=2)
    labels = np.array([True, False])
    with pytest.raises(ShapeError, match=r"^differences: .*expected \(P, 5\)"):
        drlim(weight, differences[:, 1:], labels)
    with pytest.raises(ShapeError, match=r"^apart: "):
        drlim(weight, differences, labels[:1])
    with pytest.raises(DataError, match=r"^apart: not boolean"):
        drlim(weight, differences, labels.astype(int))
    with pytest.raises(SpecError, match=r"^margin: "):
        drlim(weight, differences, labels, -1.0)
    with pytest.raises(DataError, match=r"^weight\[0, 0\]: "):
        drlim(np.full((3, 5), np.inf), differences, labels)
