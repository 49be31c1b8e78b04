"""The fire module of SqueezeNet: few 1×1 filters, then 1×1 and 3×3 ones side by side.

Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gossamer.nets.blocks.conv import conv2d


class Fire(nn.Module):
    """Squeeze to s channels, then concatenate e1 channels of a 1×1 and e3 of a 3×3 convolution.

    Every convolution has a bias and a ReLU; there are no norms.

    Args:
        in_channels: C.
        squeeze: s ≥ 1.
        expand1x1: e1 ≥ 1.
        expand3x3: e3 ≥ 1.

    Examples:
        >>> Fire(96, 16, 64, 64)(torch.zeros(1, 96, 5, 5)).shape
        torch.Size([1, 128, 5, 5])
    """

    def __init__(self, in_channels: int, squeeze: int, expand1x1: int, expand3x3: int) -> None:
        super().__init__()
        self.squeeze = conv2d(in_channels, squeeze, 1, bias=True)
        self.expand1x1 = conv2d(squeeze, expand1x1, 1, bias=True)
        self.expand3x3 = conv2d(squeeze, expand3x3, 3, bias=True)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, e1 + e3, H, W) of (N, C, H, W)."""
        x = self.act(self.squeeze(x))
        return torch.cat([self.act(self.expand1x1(x)), self.act(self.expand3x3(x))], dim=1)
