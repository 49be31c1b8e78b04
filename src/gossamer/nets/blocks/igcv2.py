"""The interleaved structured sparse convolution block (IGCV2).

The composite kernel P_L·W_L ⋯ P_1·W_1 is a product of any number of group convolutions, the first
3×3, the others 1×1, with a permutation after each. With K_l channels a group in layer l and
K_1·K_2 ⋯ K_L = C there is exactly one path from each input to each output channel, and the whole
permutation is the identity. A larger product gives several paths, a smaller one leaves pairs
without a path: `gossamer.nets.connectivity` counts them.

Source: Xie et al., "IGCV2: Interleaved Structured Sparse Convolutional Neural Networks", 2018.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.shuffle import ChannelShuffle


def igcv2_block(
    in_channels: int,
    out_channels: int,
    group_sizes: Sequence[int],
    *,
    stride: int = 1,
    widen_at: int = 0,
) -> nn.Sequential:
    """Return GConv3×3 → shuffle → (GConv1×1 → shuffle)* → batch norm → ReLU.

    Norm and activation come once a block. Where a group gives one channel its shuffle would be the
    identity and is left out.

    Args:
        in_channels: C, a multiple of K_1.
        out_channels: a multiple of the K_l and of the groups of the layer that widens.
        group_sizes: K_1, …, K_L: input channels a group.
        stride: of the first convolution.
        widen_at: index of the layer that goes from C to `out_channels`; the first unless given.

    Returns:
        A module from (N, C, H, W) to (N, out_channels, H/stride, W/stride).

    Raises:
        SpecError: if a group size does not divide its width, or there is no layer `widen_at`.

    Examples:
        >>> block = igcv2_block(64, 64, [1, 8, 8])
        >>> [name for name, _ in block.named_children()]
        ['conv1', 'conv2', 'shuffle2', 'conv3', 'shuffle3', 'norm', 'act']
        >>> block.conv2.weight.shape
        torch.Size([64, 8, 1, 1])
    """
    if not 0 <= widen_at < len(group_sizes):
        raise SpecError("no such layer", where="igcv2_block", got=f"{widen_at} of {group_sizes}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = in_channels
    for i, size in enumerate(group_sizes):
        after = out_channels if i >= widen_at else in_channels
        groups = _groups(before, after, size)
        kernel, step = (3, stride) if i == 0 else (1, 1)
        inner = i + 1 < len(group_sizes)
        layers[f"conv{i + 1}"] = conv2d(
            before, after, kernel, stride=step, groups=groups, linear=inner
        )
        if groups < after:
            layers[f"shuffle{i + 1}"] = ChannelShuffle(groups)
        before = after
    layers["norm"] = nn.BatchNorm2d(out_channels)
    layers["act"] = nn.ReLU()
    return nn.Sequential(layers)


def _groups(before: int, after: int, size: int) -> int:
    if size < 1 or before % size or after % (before // size):
        raise SpecError(
            "the channels of a group must divide the width, and the groups the width after",
            where="igcv2_block",
            got=f"K={size} with {before} → {after}",
        )
    return before // size
