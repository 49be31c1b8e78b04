"""The layers of a DenseNet: norm and activation come before each convolution.

Their parts are named as torchvision names them.

Source: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", 2017.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from gossamer.nets.blocks.conv import conv2d


def dense_unit(
    in_channels: int,
    growth: int,
    *,
    bottleneck: int = 0,
    conv: Callable[[int, int, int], nn.Module] = conv2d,
) -> nn.Sequential:
    """Return the map from (N, C, H, W) to the (N, K, H, W) that a layer adds.

    Plain: norm → ReLU → 3×3. Bottleneck: norm → ReLU → 1×1 to b·K → norm → ReLU → 3×3.

    Args:
        in_channels: C.
        growth: K, the growth rate.
        bottleneck: b, the width of the bottleneck in multiples of K (4 in the paper); 0: none.
        conv: makes a convolution from (C, K, kernel).

    Examples:
        >>> dense_unit(24, 12, bottleneck=4).conv1.weight.shape
        torch.Size([48, 24, 1, 1])
    """
    layers: dict[str, nn.Module] = {"norm1": nn.BatchNorm2d(in_channels), "relu1": nn.ReLU()}
    if bottleneck:
        inner = bottleneck * growth
        layers["conv1"] = conv(in_channels, inner, 1)
        layers |= {"norm2": nn.BatchNorm2d(inner), "relu2": nn.ReLU()}
        layers["conv2"] = conv(inner, growth, 3)
    else:
        layers["conv1"] = conv(in_channels, growth, 3)
    return nn.Sequential(OrderedDict(layers))


def dense_transition(
    in_channels: int,
    out_channels: int,
    *,
    conv: Callable[[int, int, int], nn.Module] = conv2d,
) -> nn.Sequential:
    """Return norm → ReLU → 1×1 → 2×2 average pool, from (N, C, H, W) to (N, K, H/2, W/2).

    Examples:
        >>> [name for name, _ in dense_transition(8, 4).named_children()]
        ['norm', 'relu', 'conv', 'pool']
    """
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(in_channels),
            relu=nn.ReLU(),
            conv=conv(in_channels, out_channels, 1),
            pool=nn.AvgPool2d(2, 2),
        )
    )
