"""Weights as whole multiples of a scale for each output channel.

A rounded weight stays an ordinary float weight. Its scales have 16 significant bits, so that their
products with integers of 8 bits are exact, and the integers can be read off the weight again
(`gossamer.graph.rewrite.read_grids`). Zero is zero: no zero point, pruned weights stay pruned.
"""

from __future__ import annotations

import torch
from torch import Tensor

CALIBRATIONS = ("minmax", "percentile", "mse")
_SCALE_BITS = 16
_NARROWEST, _WIDTHS = 0.2, 41
_SMALLEST = 2.0**-100


def channel_scales(
    weight: Tensor, largest: int, calibration: str = "mse", percentile: float = 99.99
) -> Tensor:
    """Return the scale of each output channel, float32 (K,).

    Args:
        weight: (K, …).
        largest: integer, 2^(bits − 1) − 1.
        calibration: "minmax", the largest entry is the largest integer; "percentile", so many
            percent of the nonzeros are at most that; "mse", the width of 41 between a fifth and
            all of the largest entry that has the least mean squared error.
        percentile: 0…100.

    Examples:
        >>> channel_scales(torch.tensor([[1.0, -127.0], [0.0, 0.0]]), 127, "minmax")
        tensor([1., 1.])
    """
    rows = weight.detach().abs().flatten(1).float()
    highest = rows.amax(1)
    if calibration == "percentile":
        highest = _percentile(rows, percentile)
    scales = short(highest / largest)
    if calibration == "mse":
        widths = torch.linspace(1, _NARROWEST, _WIDTHS)
        errors = [
            (to_grid(rows, short(w * scales), largest) - rows).square().sum(1) for w in widths
        ]
        best = widths.to(scales)[torch.stack(errors).argmin(0)]
        scales = short(best * scales)
    return scales


def to_grid(weight: Tensor, scales: Tensor, largest: int) -> Tensor:
    """Return the nearest multiples of the channels' scales, of at most ±`largest` times them.

    Args:
        weight: (K, …) float32.
        scales: (K,) as `channel_scales` gives them.
        largest: integer ≤ 127.

    Examples:
        >>> to_grid(torch.tensor([[0.6, -0.2, 9.0]]), torch.tensor([0.5]), 7)
        tensor([[0.5000, 0.0000, 3.5000]])
    """
    scales = scales.to(weight.device).view(-1, *(1,) * (weight.ndim - 1))
    return (weight / scales).round().clamp(-largest, largest) * scales + 0.0  # no −0


def short(scales: Tensor) -> Tensor:
    """Return scales rounded to 16 significant bits; 1 for those that are (almost) zero.

    Examples:
        >>> short(torch.tensor([0.1, 0.0])).tolist()
        [0.10000038146972656, 1.0]
    """
    mantissas, exponents = torch.frexp(scales.double())
    mantissas = (mantissas * 2**_SCALE_BITS).round() / 2**_SCALE_BITS
    rounded = torch.ldexp(mantissas, exponents).float()
    return torch.where(rounded > _SMALLEST, rounded, torch.ones_like(rounded))


def _percentile(rows: Tensor, percentile: float) -> Tensor:
    """Return the percentile of the nonzeros of each row, 0 for rows without."""
    ordered = rows.sort(1).values
    zeros = (rows == 0).sum(1, keepdim=True)
    last = rows.shape[1] - 1
    place = zeros + (percentile / 100 * (last - zeros)).round().long()
    return ordered.gather(1, place.clamp(0, last))[:, 0]
