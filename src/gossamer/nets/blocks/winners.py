"""k winners take all: the largest entries stay, all others become zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gossamer.counts import winner_count
from gossamer.errors import SpecError
from gossamer.nets.blocks.threshold import FUNCTIONS

COMPETITIONS = ("channels", "map", "image")


class KWinners(nn.Module):
    """Keep the k = ⌈density · n⌉ largest of each n entries that compete.

    Exactly k stay: of equal ones the first. The gradient goes through the winners.

    Source: Makhzani & Frey, "k-Sparse Autoencoders", 2013; Ahmad & Scheinkman, "How Can We Be So
    Dense?", 2019. They keep more at test time than in training; here the density is the same, so
    that what is trained is what runs. Nor is there their boosting of channels that rarely win.

    Args:
        density: 0 < density ≤ 1.
        over: "channels" of each pixel, pixels of each channel's "map", or all of an "image".
        function: applied before, a name in `gossamer.nets.blocks.threshold.FUNCTIONS`. Behind a
            ReLU, fewer than k may be left.

    Raises:
        SpecError: if an option is out of range.

    Examples:
        >>> KWinners(0.5)(torch.tensor([[3.0, 1.0, 2.0, 3.0]])).tolist()
        [[3.0, 0.0, 0.0, 3.0]]
    """

    def __init__(self, density: float, over: str = "channels", function: str = "identity") -> None:
        super().__init__()
        if not 0 < density <= 1 or over not in COMPETITIONS or function not in FUNCTIONS:
            raise SpecError(
                "k winners: an option is out of range",
                got=(density, over, function),
                expected=f"0 < density ≤ 1, one of {COMPETITIONS}, one of {list(FUNCTIONS)}",
            )
        self.density, self.over, self.function = float(density), over, function

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape, (N, C, H, W) or (N, F)."""
        return k_winners(FUNCTIONS[self.function](x), self.density, self.over)

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes, as plain data."""
        return {"density": self.density, "over": self.over, "function": self.function}

    def extra_repr(self) -> str:
        """Say who competes."""
        before = "" if self.function == "identity" else f"{self.function}, "
        return f"{before}density={self.density:g}, over={self.over}"


def k_winners(x: Tensor, density: float, over: str) -> Tensor:
    """Return `x` (N, C, H, W) or (N, F) with all but the k largest of each line set to zero.

    Args:
        x: NaN is larger than any number.
        density: k/n, rounded up to whole entries.
        over: "channels", "map" or "image".
    """
    lines = x.reshape(*x.shape[:2], -1)
    lines = lines.reshape(len(x), 1, -1) if over == "image" else lines
    axis = 1 if over == "channels" else 2
    # A stable sort, not topk: which of two equal ones comes first is then defined.
    order = lines.sort(dim=axis, descending=True, stable=True).indices
    winners = order.narrow(axis, 0, winner_count(density, lines.shape[axis]))
    kept = torch.zeros_like(lines).scatter(axis, winners, lines.gather(axis, winners))
    return kept.reshape(x.shape)
