"""The inverted residual block of MobileNetV2: expand, filter each channel, project, add.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.skip import Skip


def inverted_residual(
    in_channels: int, out_channels: int, *, expansion: int = 6, stride: int = 1
) -> nn.Module:
    """Return 1×1 to t·C → ReLU6 → channel-wise 3×3 → ReLU6 → 1×1, with norms, and a shortcut.

    The last convolution is linear. With t = 1 there is no expanding convolution. The shortcut is
    there if the stride is 1 and the width stays.

    Args:
        in_channels: C.
        out_channels: K.
        expansion: t ≥ 1.
        stride: of the channel-wise convolution.

    Returns:
        A module from (N, C, H, W) to (N, K, H/stride, W/stride).

    Examples:
        >>> inverted_residual(8, 8).body.depthwise.conv.weight.shape
        torch.Size([48, 1, 3, 3])
    """
    width = expansion * in_channels
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    if expansion > 1:
        stages["expand"] = conv_norm_act(in_channels, width, 1, act=nn.ReLU6)
    stages["depthwise"] = conv_norm_act(width, width, stride=stride, groups=width, act=nn.ReLU6)
    stages["project"] = conv_norm_act(width, out_channels, 1, act=None)
    body = nn.Sequential(stages)
    return Skip(body) if stride == 1 and in_channels == out_channels else body
