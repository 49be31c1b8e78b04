"""The interleaved low-rank group convolution block (IGCV3).

An inverted residual whose two pointwise convolutions are grouped. The super-channels of the wide
map (the channels that one group of the first convolution sends to one group of the second) fulfil
the *loose complementary condition*: each pair of groups shares one super-channel, so that each
input reaches each output by t·C / (G1·G2) paths.

Source: Sun, Li, Liu, Wang, "IGCV3: Interleaved Low-Rank Group Convolutions for Efficient Deep
Neural Networks", 2018. The permutation stands before the channel-wise convolution, as in the
authors' code (the paper draws it after, which is the same up to the order of the filters); the
second permutation, which the paper draws after the projection, is not in their released network
and not here.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.shuffle import ChannelShuffle
from gossamer.nets.blocks.skip import Skip


def igcv3_block(
    in_channels: int,
    out_channels: int,
    *,
    expanded: int | None = None,
    groups: tuple[int, int] = (2, 2),
    stride: int = 1,
) -> nn.Module:
    """Return GConv1×1(G1) → shuffle(G1) → channel-wise 3×3 → ReLU6 → GConv1×1(G2), with norms.

    Expansion and projection are linear. The shortcut is there if the stride is 1 and the width
    stays.

    Args:
        in_channels: C, a multiple of G1.
        out_channels: K, a multiple of G2.
        expanded: width of the channel-wise convolution, a multiple of G1 and G2; 6·C unless given.
        groups: G1 of the expansion, G2 of the projection.
        stride: of the channel-wise convolution.

    Returns:
        A module from (N, C, H, W) to (N, K, H/stride, W/stride).

    Raises:
        SpecError: if the groups do not divide the widths.

    Examples:
        >>> igcv3_block(8, 8).body.project.conv.weight.shape
        torch.Size([8, 24, 1, 1])
    """
    first, second = groups
    width = 6 * in_channels if expanded is None else expanded
    _check_groups(first, in_channels, width)
    _check_groups(second, width, out_channels)
    body = nn.Sequential(
        OrderedDict(
            expand=conv_norm_act(in_channels, width, 1, groups=first, act=None),
            interleave=ChannelShuffle(first),
            depthwise=conv_norm_act(width, width, stride=stride, groups=width, act=nn.ReLU6),
            project=conv_norm_act(width, out_channels, 1, groups=second, act=None),
        )
    )
    return Skip(body) if stride == 1 and in_channels == out_channels else body


def _check_groups(groups: int, before: int, after: int) -> None:
    if groups < 1 or before % groups or after % groups:
        raise SpecError(
            "the groups must divide the widths before and after",
            where="igcv3_block",
            got=f"{groups} groups with {before} → {after}",
        )
