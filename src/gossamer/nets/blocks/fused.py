"""Deep fusion: networks side by side whose intermediate results are summed, again and again.

Exchanging the branches of one fused block between the base networks leaves the whole as it is, so
K networks of B blocks hold K^B networks, many of them shallow. *Merge-and-run* blocks keep two
residual streams and add to each the mean of both; that mixing is idempotent, so, ReLUs aside, it
carries the stem's result and every gradient through all blocks unchanged.

Sources: Wang, Wei, Zhang, Zeng, "Deeply-Fused Nets", 2016; Zhao, Wang, Li, Tu, Zeng, "Deep
Convolutional Neural Networks with Merge-and-Run Mappings", 2016.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor, nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d, conv_norm_act


class DeeplyFused(nn.Module):
    """The sum of its branches, each from (N, C, H, W) to one and the same shape.

    Args:
        branches: one a base network, at least one.

    Raises:
        SpecError: if there is no branch.

    Examples:
        >>> block = DeeplyFused([nn.Identity(), nn.Identity()])
        >>> block(torch.ones(1, 1, 1, 1)).item()
        2.0
    """

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        if not len(self.branches):
            raise SpecError("a fused block has at least one branch", where="DeeplyFused")

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum over all branches."""
        return reduce(torch.add, [branch(x) for branch in self.branches])


class MergeAndRun(nn.Module):
    """Two streams: x1' = ReLU(F1(x1) + m), x2' = ReLU(F2(x2) + m), m = (x1 + x2) / 2.

    F is 3×3 convolution → norm → ReLU → 3×3 convolution → norm. Where the width changes or the
    stride is not 1, each stream passes a strided 1×1 convolution with norm before it is averaged.

    Args:
        in_channels: C of each stream.
        out_channels: K of each stream.
        stride: of the first convolution of each F.

    Examples:
        >>> x = torch.zeros(1, 8, 4, 4)
        >>> [tuple(y.shape) for y in MergeAndRun(8, 16, stride=2)((x, x))]
        [(1, 16, 2, 2), (1, 16, 2, 2)]
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.residuals = nn.ModuleList(_residual(in_channels, out_channels, stride) for _ in "12")
        self.shortcuts = nn.ModuleList()
        if stride != 1 or in_channels != out_channels:
            self.shortcuts.extend(
                conv_norm_act(in_channels, out_channels, 1, stride=stride, act=None) for _ in "12"
            )

    def forward(self, streams: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Map both streams, (N, C, H, W) each, to (N, K, H/stride, W/stride) each."""
        mean = self._mean(streams)
        first, second = (f(x) for f, x in zip(self.residuals, streams, strict=True))
        return torch.relu(first + mean), torch.relu(second + mean)

    def merge(self, streams: tuple[Tensor, Tensor]) -> Tensor:
        """Return ReLU(F1(x1) + F2(x2) + m), the form of a network's last block."""
        first, second = (f(x) for f, x in zip(self.residuals, streams, strict=True))
        return torch.relu(first + second + self._mean(streams))

    def _mean(self, streams: tuple[Tensor, Tensor]) -> Tensor:
        if len(self.shortcuts):
            first, second = (f(x) for f, x in zip(self.shortcuts, streams, strict=True))
            return (first + second) * 0.5
        return (streams[0] + streams[1]) * 0.5


def _residual(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=conv2d(in_channels, out_channels, stride=stride),
            norm1=nn.BatchNorm2d(out_channels),
            act=nn.ReLU(),
            conv2=conv2d(out_channels, out_channels),
            norm2=nn.BatchNorm2d(out_channels),
        )
    )
