"""The interleaved group convolution block (IGCV1).

A wide convolution as the product of two sparse ones. G = L·M channels pass L groups of a spatial
convolution (the *primary* partitions, M channels each), are permuted so that each *secondary*
partition holds one channel of every primary one, pass M groups of a 1×1 convolution (L channels
each), and are permuted back. There is exactly one path from each input to each output channel, so
the composed kernel is dense although its factors hold G²·(R·S/L + 1/M) weights, not G²·R·S.

Source: Zhang, Qi, Xiao, Wang, "Interleaved Group Convolutions for Deep Neural Networks", 2017.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d, conv_norm_act
from gossamer.nets.blocks.residual import Residual
from gossamer.nets.blocks.shuffle import ChannelShuffle


def igc_block(
    in_channels: int,
    out_channels: int,
    primary_groups: int,
    *,
    stride: int = 1,
    act: bool = True,
) -> nn.Sequential:
    """Return GConv3×3(L) → shuffle(L) → GConv1×1(M) → shuffle(M) → batch norm → ReLU.

    There is neither norm nor activation between the two convolutions, as in the paper.

    Args:
        in_channels: C, a multiple of L.
        out_channels: G = L·M, a multiple of L.
        primary_groups: L ≥ 1.
        stride: of the primary convolution.
        act: whether the ReLU is there.

    Returns:
        A module from (N, C, H, W) to (N, G, H/stride, W/stride).

    Raises:
        SpecError: if L does not divide both widths.

    Examples:
        >>> block = igc_block(6, 6, 2)
        >>> block.primary.weight.shape, block.secondary.weight.shape
        (torch.Size([6, 3, 3, 3]), torch.Size([6, 2, 1, 1]))
    """
    if primary_groups < 1 or in_channels % primary_groups or out_channels % primary_groups:
        raise SpecError(
            "the primary groups must divide both widths",
            where="igc_block",
            got=f"L={primary_groups} with {in_channels} → {out_channels}",
        )
    secondary_groups = out_channels // primary_groups
    block = nn.Sequential(
        OrderedDict(
            primary=conv2d(in_channels, out_channels, stride=stride, groups=primary_groups),
            interleave=ChannelShuffle(primary_groups),
            secondary=conv2d(out_channels, out_channels, 1, groups=secondary_groups),
            restore=ChannelShuffle(secondary_groups),
            norm=nn.BatchNorm2d(out_channels),
        )
    )
    if act:
        block.add_module("act", nn.ReLU())
    return block


def igc_unit(
    in_channels: int, out_channels: int, primary_groups: int, *, stride: int = 1
) -> Residual:
    """Return two IGC blocks with an identity shortcut around them, and a ReLU after the sum.

    Where the width or the size changes, the shortcut is a 1×1 convolution with L groups and a
    batch norm. Both blocks take their secondary groups from the output width: the authors' code
    takes them from the input width in the first unit of a stage, but the counts that the paper
    prints are those without that slip.

    Args:
        in_channels: C, a multiple of L.
        out_channels: G, a multiple of L.
        primary_groups: L ≥ 1, of both blocks.
        stride: of the first primary convolution and of the shortcut.

    Returns:
        A module from (N, C, H, W) to (N, G, H/stride, W/stride).

    Examples:
        >>> igc_unit(6, 12, 2, stride=2).shortcut.conv.weight.shape
        torch.Size([12, 3, 1, 1])
    """
    body = nn.Sequential(
        igc_block(in_channels, out_channels, primary_groups, stride=stride),
        igc_block(out_channels, out_channels, primary_groups, act=False),
    )
    if stride == 1 and in_channels == out_channels:
        return Residual(body, nn.Identity())
    project = conv_norm_act(
        in_channels, out_channels, 1, stride=stride, groups=primary_groups, act=None
    )
    return Residual(body, project)
