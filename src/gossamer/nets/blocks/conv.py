"""Convolution, norm, activation: the block that most networks repeat."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def conv2d(
    in_channels: int, out_channels: int, kernel: int = 3, *, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution without bias, padded to keep H and W at stride 1.

    Its weight (K, C/G, R, S) is normal with variance 2 / fan-in (He et al. 2015, eq. 10).

    Example:
        >>> conv2d(8, 16, groups=4).weight.shape
        torch.Size([16, 2, 3, 3])
    """
    conv = nn.Conv2d(
        in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    return conv


def conv_norm_act(
    in_channels: int, out_channels: int, kernel: int = 3, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return convolution → batch norm → ReLU, from (N, C, H, W) to (N, K, H/stride, W/stride).

    Example:
        >>> [type(layer).__name__ for layer in conv_norm_act(3, 8)]
        ['Conv2d', 'BatchNorm2d', 'ReLU']
    """
    return nn.Sequential(
        OrderedDict(
            conv=conv2d(in_channels, out_channels, kernel, stride=stride, groups=groups),
            norm=nn.BatchNorm2d(out_channels),
            act=nn.ReLU(),
        )
    )
