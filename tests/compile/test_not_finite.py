"""Infinities and NaN pass through programs as docs/design/0005 says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.graph.ops import (
    ACTIVATIONS,
    Activation,
    Add,
    AvgPool2d,
    Conv2d,
    GlobalAvgPool,
    KWinners,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Multiply,
    Op,
    Softmax,
)
from tests.compile.graphs import TOLERANCE, program, single, sparse_array
from tests.compile.not_finite import assert_allowed, interpret_skipping

NAN, INF = np.nan, np.inf


def answer(graph: object, x: list, **options: int) -> list:
    with program(graph, **options) as compiled:
        return compiled(np.array([x], np.float32))[0].ravel().tolist()


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_an_infinity_stays_one_whatever_fills_the_last_turn(count: int, lanes: int) -> None:
    x = [1.0] * (count - 1) + [INF]
    weight = np.full((2, count), -2, np.float32)
    weight[1, :-1] = 0
    assert answer(single(Linear(), (1, count), weight=weight), x, lanes=lanes) == [-INF, -INF]
    conv = single(Conv2d(), (1, count, 1, 1), weight=weight.reshape(2, count, 1, 1))
    picture = np.array(x).reshape(count, 1, 1).tolist()
    assert answer(conv, picture, lanes=lanes) == [-INF, -INF]


def test_opposite_infinities_make_nan() -> None:
    graph = single(Linear(), (1, 2), weight=np.ones((1, 2), np.float32))
    assert np.isnan(answer(graph, [INF, -INF])).all()


def test_weights_that_are_zero_count_or_not() -> None:
    """The interpreter says NaN; a number is allowed only if skipping the zero gives it."""
    weight = np.array([[0, 2]], np.float32)
    graph = single(Linear(), (1, 2), weight=weight)
    x = np.array([[INF, 3]], np.float32)
    assert interpret_skipping(graph, x).tolist() == [[6.0]]
    for got in (NAN, 6.0):
        assert_allowed(graph, x, np.array([[got]], np.float32), TOLERANCE)
    for got in (INF, 5.0):
        with pytest.raises(AssertionError):
            assert_allowed(graph, x, np.array([[got]], np.float32), TOLERANCE)


def test_skipping_knows_signs_and_scales() -> None:
    weight = np.array([[1, 0], [-1, 1], [1, 1]], np.float32)
    scale = np.array([-1, 1, 0], np.float32)
    graph = single(Linear(), (1, 2), weight=weight, scale=scale, bias=np.ones(3, np.float32))
    x = np.array([[INF, INF], [-INF, 2], [1, NAN]], np.float32)
    expected = [[-INF, NAN, 1], [INF, INF, 1], [0, NAN, 1]]
    np.testing.assert_array_equal(interpret_skipping(graph, x), expected)


def test_sums_that_cancel_may_differ_by_rounding() -> None:
    """What is left of 1000 · x₀ − 1000 · x₁ has the rounding error of 1000, and no more."""
    graph = single(Linear(), (1, 2), weight=np.array([[1000, -1000]], np.float32))
    x = np.array([[1, 1 - 2**-20]], np.float32)
    left = 1000 * 2**-20
    for got in (left, 1.5 * left):
        assert_allowed(graph, x, np.array([[got]], np.float32), TOLERANCE)
    with pytest.raises(AssertionError):
        assert_allowed(graph, x, np.array([[10 * left]], np.float32), TOLERANCE)


def test_padding_never_wins_a_pool_of_the_lowest() -> None:
    graph = single(MaxPool2d((3, 3), (1, 1), (1, 1, 1, 1)), (1, 1, 2, 2))
    assert answer(graph, [[[-INF, -INF], [-INF, -INF]]]) == [-INF] * 4


OPERATORS: tuple[Op, ...] = (
    *(Activation(function) for function in ACTIVATIONS),
    Activation("leaky_relu(0.1)"),
    Add("relu"),
    AvgPool2d((3, 2), (1, 2), (1, 0, 1, 1)),
    Conv2d((1, 2), (1, 0, 2, 1), groups=2, activation="relu6"),
    GlobalAvgPool(),
    KWinners(0.5),
    LayerNorm(),
    LocalResponseNorm(3, 0.5),
    MaxPool2d((3, 2), (2, 1), (1, 0, 1, 1)),
    Multiply(),
    Softmax(),
)


@pytest.mark.parametrize("op", OPERATORS, ids=repr)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), share=st.sampled_from([0.01, 0.1, 0.9]))
def test_every_operator_passes_them_through(op: Op, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 4, *(int(n) for n in rng.integers(3, 12, 2)))
    x = 3 * rng.standard_normal(shape)
    x = np.where(rng.random(shape) < share, rng.choice([NAN, INF, -INF], shape), x)
    shapes = {"weight": (6, 2, 3, 3), "scale": (4,), "shift": (4,)}
    weights = {role: sparse_array(rng, shapes[role], 0.4) for role in op.roles}
    graph, x = single(op, shape, **weights), x.astype(np.float32)
    with program(graph, lanes=int(rng.choice([4, 8, 16]))) as compiled:
        assert_allowed(graph, x, compiled(x), TOLERANCE)
