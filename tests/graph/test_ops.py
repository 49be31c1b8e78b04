"""Attributes and shape rules of operators."""

from __future__ import annotations

import pytest

from gossamer.errors import ShapeError
from gossamer.graph import ops

WINDOW = {"kernel": (2, 2), "stride": (2, 2)}


@pytest.mark.parametrize(
    ("cls", "attributes"),
    [
        (ops.Conv2d, {"stride": (0, 1)}),
        (ops.Conv2d, {"stride": (1, ops.LARGEST_WINDOW + 1)}),
        (ops.Conv2d, {"stride": [1, 1]}),
        (ops.Conv2d, {"stride": (True, 1)}),
        (ops.Conv2d, {"dilation": (1, 0)}),
        (ops.Conv2d, {"padding": (0, 0, 0, -1)}),
        (ops.Conv2d, {"padding": (0, 0)}),
        (ops.Conv2d, {"groups": 0}),
        (ops.Conv2d, {"groups": 1.0}),
        (ops.Conv2d, {"activation": "cosine"}),
        (ops.Conv2d, {"activation": ["relu"]}),
        (ops.Linear, {"activation": ""}),
        (ops.Add, {"activation": None}),
        (ops.Activation, {"function": "cosine"}),
        (ops.KWinners, {"density": 0.0}),
        (ops.KWinners, {"density": 1.5}),
        (ops.KWinners, {"density": float("nan")}),
        (ops.KWinners, {"density": 1}),
        (ops.KWinners, {"density": 0.5, "over": "batch"}),
        (ops.KWinners, {"density": 0.5, "over": None}),
        (ops.MaxPool2d, WINDOW | {"kernel": (0, 2)}),
        (ops.MaxPool2d, WINDOW | {"padding": (2, 0, 0, 0)}),
        (ops.MaxPool2d, WINDOW | {"padding": (0, 0, 0, 2)}),
        (ops.MaxPool2d, WINDOW | {"dilation": (0, 1)}),
        (ops.AvgPool2d, WINDOW | {"stride": (-1, 1)}),
        (ops.AvgPool2d, WINDOW | {"padding": (0, 2, 0, 0)}),
        (ops.ChannelPermute, {"order": ()}),
        (ops.ChannelPermute, {"order": (0, 0)}),
        (ops.ChannelPermute, {"order": (1, 2)}),
        (ops.ChannelPermute, {"order": (0, True)}),
        (ops.ChannelPermute, {"order": [0, 1]}),
        (ops.ChannelPermute, {"order": ("a", 1)}),
        (ops.ChannelPermute, {"order": 3}),
        (ops.ChannelSelect, {"order": ()}),
        (ops.ChannelSelect, {"order": (0, -2)}),
        (ops.ChannelSelect, {"order": [0]}),
        (ops.LocalResponseNorm, {"size": 0}),
        (ops.LayerNorm, {"epsilon": -1.0}),
        (ops.LayerNorm, {"epsilon": 1}),
        (ops.LocalResponseNorm, {"size": 5, "alpha": -1.0}),
        (ops.LocalResponseNorm, {"size": 5, "beta": float("nan")}),
    ],
)
def test_bad_attributes_are_refused(cls: type[ops.Op], attributes: dict) -> None:
    with pytest.raises(ShapeError):
        cls(**attributes)


def test_a_dilated_pool_may_pad_half_of_its_span() -> None:
    assert ops.MaxPool2d((2, 2), (1, 1), (2, 0, 2, 0), dilation=(3, 1)).padding[0] == 2


@pytest.mark.parametrize(
    ("op", "inputs", "weights"),
    [
        (ops.Conv2d(), [(1, 4, 5, 5)], {"weight": (2, 3, 1, 1)}),
        (ops.Conv2d(), [(1, 4, 5, 5)], {"weight": (2, 4, 6, 1)}),
        (ops.Conv2d(), [(1, 4, 5, 5)], {"weight": (2, 4, 0, 1)}),
        (ops.Conv2d(), [(1, 4, 5, 5)], {"weight": (2, 4)}),
        (ops.Conv2d(), [(1, 4)], {"weight": (2, 4, 1, 1)}),
        (ops.Conv2d(groups=2), [(1, 4, 5, 5)], {"weight": (3, 2, 1, 1)}),
        (ops.Conv2d(), [(1, 4, 5, 5)], {"weight": (2, 4, 1, 1), "bias": (4,)}),
        (ops.Linear(), [(1, 4, 1, 1)], {"weight": (2, 4)}),
        (ops.Linear(), [(1, 4)], {"weight": (2, 5)}),
        (ops.Linear(), [(1, 4)], {"weight": (0, 4)}),
        (ops.Linear(), [(1, 4)], {"weight": (2, 4), "scale": (2, 1)}),
        (ops.ScaleShift(), [(1, 4)], {"scale": (4,), "shift": (3,)}),
        (ops.Threshold(), [(1, 4, 2, 2)], {"threshold": (3,)}),
        (ops.Threshold(), [(1, 4)], {"threshold": (4, 1)}),
        (ops.MaxPool2d(**WINDOW), [(1, 4, 1, 5)], {}),
        (ops.AvgPool2d(**WINDOW), [(1, 4)], {}),
        (ops.GlobalAvgPool(), [(1, 4)], {}),
        (ops.Add(), [(1, 4), (1, 5)], {}),
        (ops.Concat(), [(1, 4, 2, 2), (1, 4, 2, 3)], {}),
        (ops.ChannelPermute((1, 0)), [(1, 3, 2, 2)], {}),
        (ops.ChannelSelect((3,)), [(1, 3, 2, 2)], {}),
        (ops.Multiply(), [(1, 3, 2, 2), (1, 3, 1, 2)], {}),
        (ops.Multiply(), [(1, 3, 1, 1), (1, 3, 2, 2)], {}),
        (ops.LocalResponseNorm(3), [(1, 3)], {}),
    ],
)
def test_shapes_that_do_not_fit_are_refused(op: ops.Op, inputs: list, weights: dict) -> None:
    with pytest.raises(ShapeError):
        op.output_shape(inputs, weights)


@pytest.mark.parametrize(("channels", "groups"), [(6, 4), (6, 0), (0, 1), (6, -2)])
def test_a_shuffle_needs_a_divisor(channels: int, groups: int) -> None:
    with pytest.raises(ShapeError):
        ops.shuffle_order(channels, groups)


def test_a_shuffle_by_the_other_factor_undoes_it() -> None:
    there, back = ops.shuffle_order(12, 3), ops.shuffle_order(12, 4)
    assert [there[i] for i in back] == list(range(12))
