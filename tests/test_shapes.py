"""Window sizes against torch, and known layers of published networks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from gossamer.errors import ShapeError
from gossamer.shapes import window_output_size


@pytest.mark.parametrize(
    ("size", "kernel", "options", "expected"),
    [
        (224, 7, {"stride": 2, "padding": (3, 3)}, 112),  # ResNet stem
        (227, 11, {"stride": 4}, 55),  # AlexNet
        (112, 3, {"stride": 2, "ceil_mode": True}, 56),  # GoogLeNet pool 1
        (32, 5, {}, 28),  # LeNet-5
        (7, 3, {"dilation": 3}, 1),
        (4, 2, {"padding": (0, 1)}, 4),
    ],
)
def test_known_layers(size: int, kernel: int, options: dict, expected: int) -> None:
    assert window_output_size(size, kernel, **options) == expected


@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 5),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    ceil_mode=st.booleans(),
)
def test_equals_torch(size, kernel, stride, padding, dilation, ceil_mode) -> None:
    padding = min(padding, kernel // 2)
    options = {"stride": stride, "dilation": dilation, "ceil_mode": ceil_mode}
    if size + 2 * padding <= dilation * (kernel - 1):
        with pytest.raises(ShapeError):  # also in ceil mode, where torch makes up a window
            window_output_size(size, kernel, padding=(padding, padding), **options)
    else:
        theirs = F.max_pool1d(torch.zeros(1, 1, size), kernel, padding=padding, **options)
        ours = window_output_size(size, kernel, padding=(padding, padding), **options)
        assert ours == theirs.shape[2]


def test_the_error_says_how_large_the_window_may_be() -> None:
    with pytest.raises(ShapeError, match="got 9, expected at most 7"):
        window_output_size(5, 5, padding=(1, 1), dilation=2)
