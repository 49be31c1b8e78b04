"""The highway layer: a gate decides, number by number, between a transform and the input itself.

Source: Srivastava, Greff, Schmidhuber, "Highway Networks", 2015, equation 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gossamer.nets.blocks.conv import conv2d


class Highway(nn.Module):
    """y = H(x) · T(x) + x · (1 − T(x)), with H = ReLU(conv(x)) and T = sigmoid(conv(x)).

    From (N, C, H, W) to the same shape. Both convolutions have a bias; the gate's begins negative,
    so that a fresh layer mostly carries its input.

    Args:
        channels: C.
        kernel: R = S, odd.
        gate_bias: initial bias of the gate; −1…−4 in the paper, −2 on CIFAR.

    Examples:
        >>> Highway(4)(torch.zeros(1, 4, 5, 5)).shape
        torch.Size([1, 4, 5, 5])
    """

    def __init__(self, channels: int, kernel: int = 3, gate_bias: float = -2.0) -> None:
        super().__init__()
        self.transform = conv2d(channels, channels, kernel, bias=True)
        self.gate = conv2d(channels, channels, kernel, bias=True)
        assert self.gate.bias is not None
        nn.init.constant_(self.gate.bias, gate_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the transform of (N, C, H, W) with (N, C, H, W) itself."""
        gate = torch.sigmoid(self.gate(x))
        return torch.relu(self.transform(x)) * gate + x * (1 - gate)
