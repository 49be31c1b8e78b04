"""Convolution, norm, activation: the block that most networks repeat."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import nn


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    bias: bool = False,
    linear: bool = False,
) -> nn.Conv2d:
    """Return a convolution, padded to keep H and W at stride 1 unless `padding` says otherwise.

    Its weight (K, C/G, R, S) is normal with variance 2 / fan-in (He et al. 2015, eq. 10), or
    1 / fan-in where it is `linear`: where no rectifier follows. A bias starts at zero.

    Examples:
        >>> conv2d(8, 16, groups=4).weight.shape
        torch.Size([16, 2, 3, 3])
    """
    pad = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, pad, groups=groups, bias=bias)
    kind = "linear" if linear else "relu"
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity=kind)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    act: Callable[[], nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Return convolution → batch norm → activation, (N, C, H, W) to (N, K, H/stride, W/stride).

    Args:
        in_channels: C.
        out_channels: K.
        kernel: R = S, in pixels.
        stride: of the convolution.
        groups: of the convolution.
        padding: as for `conv2d`.
        act: makes the activation; None for a linear block.

    Examples:
        >>> [type(layer).__name__ for layer in conv_norm_act(3, 8)]
        ['Conv2d', 'BatchNorm2d', 'ReLU']
    """
    block = nn.Sequential(
        OrderedDict(
            conv=conv2d(
                in_channels,
                out_channels,
                kernel,
                stride=stride,
                groups=groups,
                padding=padding,
                linear=act is None,
            ),
            norm=nn.BatchNorm2d(out_channels),
        )
    )
    if act is not None:
        block.add_module("act", act())
    return block


def conv_act(
    in_channels: int, out_channels: int, kernel: int = 3, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return convolution with bias → ReLU, from (N, C, H, W) to (N, K, H/stride, W/stride).

    Examples:
        >>> conv_act(3, 8, 1).conv.bias.shape
        torch.Size([8])
    """
    conv = conv2d(in_channels, out_channels, kernel, stride=stride, groups=groups, bias=True)
    return nn.Sequential(OrderedDict(conv=conv, act=nn.ReLU()))
