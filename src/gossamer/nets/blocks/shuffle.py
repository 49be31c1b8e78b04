"""The fixed channel permutation that interleaves two group convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import channel_shuffle

from gossamer.errors import ShapeError


class _ChannelsLast(torch.autograd.Function):
    """The shuffle of a channels-last tensor; views would copy it into the other layout."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: int) -> Tensor:
        ctx.undo = x.shape[1] // groups
        return channel_shuffle(x, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return channel_shuffle(gradients[0], ctx.undo), None


class ChannelShuffle(nn.Module):
    """Move channel a·(C/g) + b to position b·g + a.

    (N, C, H, W) is viewed as (N, g, C/g, H, W), the two channel axes are exchanged, and the result
    is flattened again. Shuffling by C/g undoes shuffling by g. The operator `reorder(g)` of
    interleaved group convolutions (Zhang et al. 2017, section 3).

    Args:
        groups: g ≥ 1; must divide C.

    Raises:
        ShapeError: at the first call, if g does not divide C.

    Examples:
        >>> import torch
        >>> ChannelShuffle(2)(torch.arange(6).reshape(1, 6, 1, 1)).flatten().tolist()
        [0, 3, 1, 4, 2, 5]
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Permute the channels of (N, C, H, W)."""
        n, c, h, w = x.shape
        if c % self.groups:
            raise ShapeError("groups must divide the channels", got=c, expected=f"k·{self.groups}")
        if _is_channels_last(x) and not torch.compiler.is_compiling():
            return _ChannelsLast.apply(x, self.groups)  # type: ignore[return-value]
        x = x.view(n, self.groups, c // self.groups, h, w)
        return x.transpose(1, 2).reshape(n, c, h, w)

    def extra_repr(self) -> str:
        """Show the number of groups."""
        return f"groups={self.groups}"


def _is_channels_last(x: Tensor) -> bool:
    """Return whether the channels lie side by side; False where both layouts are the same."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
