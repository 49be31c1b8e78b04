"""A small network of Inception modules for 32×32 pictures; our own design, in no paper.

A 3×3 stem, three stages of Inception modules at widths w, 2w, 4w with 3×3 max pooling of stride 2
between them, global average pool, linear layer. Batch norm stands after every convolution. The
modules are GoogLeNet's (1×1, 3×3, 5×5 and pooling side by side), all in the proportions of its
first, 3a: a quarter of the width for the 1×1, a half for the 3×3, an eighth each for the 5×5 and
the pooling, after reductions to 3/8 and 1/16 of the width.

Source of the module: Szegedy et al., "Going Deeper with Convolutions", 2014, section 4, table 1.
"""

from __future__ import annotations

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.inception import Inception, InceptionWidths
from gossamer.nets.network import Network

_SOURCE = "ours, of GoogLeNet's modules (Szegedy et al. 2014), CIFAR"
_SHARES = (1 / 4, 3 / 8, 1 / 2, 1 / 16, 1 / 8)
_STAGES = 3


def module_widths(width: int) -> InceptionWidths:
    """Return branches in the proportions of GoogLeNet's module 3a, each of one channel or more.

    The pooling branch takes what the rounded others leave.

    Args:
        width: channels of the output, ≥ 8.

    Raises:
        SpecError: if the width is smaller.

    Examples:
        >>> module_widths(256)
        InceptionWidths(one=64, three_reduce=96, three=128, five_reduce=16, five=32, pool=32)
    """
    if width < 8:
        raise SpecError("an Inception module needs 8 channels or more", got=width)
    one, three_reduce, three, five_reduce, five = (max(1, int(width * s)) for s in _SHARES)
    pool = width - one - three - five
    return InceptionWidths(one, three_reduce, three, five_reduce, five, pool)


def inception(
    num_classes: int,
    in_channels: int,
    width: int = 32,
    modules: int = 2,
    large: str = "5x5",
) -> nn.Module:
    """Return the network; pictures may have any size from 4×4.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width: channels of the first stage, ≥ 8, doubled from stage to stage.
        modules: of each stage, ≥ 1.
        large: how the 5×5 branch is built: "5x5", "two 3x3" or "3x3".

    Raises:
        SpecError: if an option is out of range.
    """
    if modules < 1:
        raise SpecError("a stage needs a module or more", got=modules)
    blocks, before = list[nn.Module](), width
    for stage in range(_STAGES):
        widths = module_widths(width * 2**stage)
        if stage:
            blocks.append(nn.MaxPool2d(3, 2, 1))
        for _ in range(modules):
            blocks.append(Inception(before, widths, large=large, norm=True))
            before = widths.total
    return classifier_chain(conv_norm_act(in_channels, width), blocks, before, num_classes)


INCEPTION = Network(
    "inception-cifar", inception, (3, 32, 32), 10, _SOURCE, 111_106, macs=16_991_488, smallest=4
)
