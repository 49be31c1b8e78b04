"""Depthwise-separable convolutions: one filter a channel, then a 1×1 convolution over channels.

Sources: Howard et al., "MobileNets", 2017; Chollet, "Xception", 2017.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from gossamer.nets.blocks.conv import conv2d, conv_norm_act


def separable_conv(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    """Return channel-wise 3×3 → 1×1, with nothing between them (the form of Xception).

    Args:
        in_channels: C.
        out_channels: K.
        stride: of the channel-wise convolution.

    Returns:
        A module from (N, C, H, W) to (N, K, H/stride, W/stride).

    Examples:
        >>> [tuple(p.shape) for p in separable_conv(8, 16).parameters()]
        [(8, 1, 3, 3), (16, 8, 1, 1)]
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=conv2d(
                in_channels, in_channels, stride=stride, groups=in_channels, linear=True
            ),
            pointwise=conv2d(in_channels, out_channels, 1),
        )
    )


def separable_norm_act(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    """Return channel-wise 3×3 → norm → ReLU → 1×1 → norm → ReLU (the form of MobileNet).

    Args:
        in_channels: C.
        out_channels: K.
        stride: of the channel-wise convolution.

    Returns:
        A module from (N, C, H, W) to (N, K, H/stride, W/stride).

    Examples:
        >>> separable_norm_act(8, 16).pointwise.conv.weight.shape
        torch.Size([16, 8, 1, 1])
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=conv_norm_act(in_channels, in_channels, stride=stride, groups=in_channels),
            pointwise=conv_norm_act(in_channels, out_channels, 1),
        )
    )
