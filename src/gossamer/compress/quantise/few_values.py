"""Binary and ternary weights: real weights → the values that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gossamer.compress.quantise.straight_through import Rounding

_THRESHOLD = 0.7


def binary_connect(weight: Tensor) -> Rounding:
    """Return the rounding to ±H, with one H a layer that stays: the mean size of its nonzeros.

    Source: Courbariaux et al., "BinaryConnect", 2015, section 2.2, deterministic. They take H from
    the initialisation of Glorot & Bengio; a trained network has sizes of its own. They clip real
    weights to ±H, beyond which nothing changes.

    Examples:
        >>> binary_connect(torch.tensor([[0.5, -1.5]]))(torch.tensor([[-0.1, 0.2]]))
        tensor([[-1.,  1.]])
    """
    size = _mean_size(weight.detach().view(1, -1))
    return lambda real: _signs(real) * size.to(real)


def binary_weights(weight: Tensor) -> Rounding:
    """Return the rounding to ±α, with one α for each output channel: the mean size of its nonzeros.

    That is the α, and these are the signs, that are nearest to the real weights.

    Source: Rastegari et al., "XNOR-Net", 2016, section 3.1 (BWN). The gradient of α is left out.

    Examples:
        >>> binary_weights(torch.empty(0))(torch.tensor([[1.0, -3.0], [0.5, 0.0]]))
        tensor([[ 2.0000, -2.0000],
                [ 0.5000,  0.0000]])
    """
    return lambda real: (
        _signs(real.flatten(1)) * _mean_size(real.flatten(1)) * (real.flatten(1) != 0)
    ).view(real.shape)


def ternary_weights(weight: Tensor) -> Rounding:
    """Return the rounding to −α, 0 and α, with one α a layer.

    Zero below Δ = 0.7·mean |w|; α is the mean size of the others.

    Source: Li, Zhang & Liu, "Ternary Weight Networks", 2016, equations 5 and 6. Means are over
    nonzeros: pruned weights say nothing about the others.

    Examples:
        >>> ternary_weights(torch.empty(0))(torch.tensor([[1.0, -0.1], [-2.0, 0.2]]))
        tensor([[ 1.5000,  0.0000],
                [-1.5000,  0.0000]])
    """

    def rounded(real: Tensor) -> Tensor:
        threshold = _THRESHOLD * _mean_size(real.view(1, -1))
        large = real * (real.abs() > threshold)
        return large.sign() * _mean_size(large.view(1, -1)) + 0.0

    return rounded


METHODS: Mapping[str, Callable[[Tensor], Rounding]] = {
    "binary-connect": binary_connect,
    "bwn": binary_weights,
    "xnor": binary_weights,
    "twn": ternary_weights,
}
"""By the names that the pass `binarise` takes: a layer's weight → its rounding."""


def _signs(real: Tensor) -> Tensor:
    """Return −1 or 1; 1 of zero."""
    return torch.where(real < 0, -1.0, 1.0).to(real.dtype)


def _mean_size(rows: Tensor) -> Tensor:
    """Return the mean size of the nonzeros of each row, (n, 1); 0 for rows without."""
    return rows.abs().sum(1, keepdim=True) / rows.count_nonzero(1)[:, None].clamp(min=1)
