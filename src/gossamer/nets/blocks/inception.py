"""The Inception module: convolutions of several sizes side by side, concatenated.

Correlated units at one place are covered by 1×1 convolutions, spread ones by 3×3 and 5×5; a pooling
branch stands beside them. 1×1 reductions keep the larger convolutions affordable.

Source: Szegedy et al., "Going Deeper with Convolutions", 2014, section 4 and figure 2b; the 5×5 as
two 3×3 is from Szegedy et al., "Rethinking the Inception Architecture", 2015, figure 5.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv_act, conv_norm_act

# How the branch for large patterns is built: the kernel sizes of its chain.
_LARGE = {"5x5": (5,), "two 3x3": (3, 3), "3x3": (3,)}


@dataclass(frozen=True)
class InceptionWidths:
    """Channels of the branches; 0 leaves a branch, or a reduction, out.

    Args:
        one: of the 1×1 branch.
        three_reduce: of the 1×1 before the 3×3.
        three: of the 3×3 branch.
        five_reduce: of the 1×1 before the 5×5.
        five: of the 5×5 branch.
        pool: of the 1×1 after the pooling.

    Raises:
        SpecError: if a width is negative, a reduction has no branch, or there is no branch.

    Examples:
        >>> InceptionWidths(64, 96, 128, 16, 32, 32).total
        256
    """

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int

    def __post_init__(self) -> None:
        if any(not isinstance(width, int) or width < 0 for width in astuple(self)):
            raise SpecError("branch widths must be integers ≥ 0", got=self)
        if (self.three_reduce and not self.three) or (self.five_reduce and not self.five):
            raise SpecError("a reduction needs a branch behind it", got=self)
        if not self.total:
            raise SpecError("an Inception module needs a branch", got=self)

    @property
    def total(self) -> int:
        """Channels of the output."""
        return self.one + self.three + self.five + self.pool


class Inception(nn.Module):
    """Branches 1×1, 3×3, 5×5 and pooling, concatenated in that order.

    From (N, C, H, W) to (N, widths.total, H, W). Every convolution has a ReLU; max pooling is 3×3
    with stride 1.

    Args:
        in_channels: C.
        widths: channels of the branches.
        large: "5x5", "two 3x3" (both as wide as the 5×5 would be) or "3x3" (as torchvision has it).
        norm: batch norm after every convolution instead of a bias.

    Raises:
        SpecError: if `large` is none of the three.

    Examples:
        >>> module = Inception(8, InceptionWidths(4, 2, 3, 2, 3, 2))
        >>> module(torch.zeros(1, 8, 7, 7)).shape
        torch.Size([1, 12, 7, 7])
    """

    def __init__(
        self, in_channels: int, widths: InceptionWidths, *, large: str = "5x5", norm: bool = False
    ) -> None:
        super().__init__()
        if large not in _LARGE:
            raise SpecError("unknown large branch", got=large, expected=list(_LARGE))
        conv = conv_norm_act if norm else conv_act
        branches = OrderedDict(
            one=_chain(conv, in_channels, 0, widths.one, (1,)),
            three=_chain(conv, in_channels, widths.three_reduce, widths.three, (3,)),
            five=_chain(conv, in_channels, widths.five_reduce, widths.five, _LARGE[large]),
            pool=_chain(conv, in_channels, 0, widths.pool, (1,), pool=True),
        )
        self.branches = nn.ModuleDict({key: b for key, b in branches.items() if b is not None})

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate what the branches make of (N, C, H, W)."""
        return torch.cat([branch(x) for branch in self.branches.values()], 1)


def _chain(
    conv: Callable[..., nn.Module],
    in_channels: int,
    reduce: int,
    width: int,
    kernels: tuple[int, ...],
    *,
    pool: bool = False,
) -> nn.Sequential | None:
    """Return pooling, reduction and convolutions as far as they are asked for."""
    if not width:
        return None
    layers = OrderedDict[str, nn.Module]()
    if pool:
        layers["pool"] = nn.MaxPool2d(3, 1, 1)
    if reduce:
        layers["reduce"] = conv(in_channels, reduce, 1)
    channels = reduce or in_channels
    for index, kernel in enumerate(kernels, 1):
        layers[f"conv{index}"] = conv(channels, width, kernel)
        channels = width
    return nn.Sequential(layers)
