"""ResNets for ImageNet: 18, 34, 50, 101, 152 layers.

Source: He et al., "Deep Residual Learning for Image Recognition", 2015, table 1. The stride of a
bottleneck is in its 3×3 convolution, as in today's implementations, not in the first 1×1: the same
parameters, 4.1 G instead of 3.9 G MACs for ResNet-50. The paper prints "FLOPs" where it means MACs.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.residual import EXPANSION, basic, bottleneck
from gossamer.nets.network import Network

_SOURCE = "ResNet (He et al. 2015), ImageNet"
_UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_FIRST_BOTTLENECK = 50


def resnet(
    num_classes: int, in_channels: int, depth: int = 18, width: int = 64, option: str = "B"
) -> nn.Module:
    """Return a ResNet for pictures of any size, 224×224 in the paper.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: 18, 34 (basic units), 50, 101 or 152 (bottlenecks).
        width: of the 3×3 convolutions of the first stage, doubled from stage to stage.
        option: of the shortcuts that change width or size: "A" or "B".

    Raises:
        SpecError: if the depth or the option is none of these, or the width not positive.
    """
    if depth not in _UNITS or width < 1:
        raise SpecError("no such ResNet", got=f"depth={depth}, width={width}", expected=[*_UNITS])
    unit, factor = (basic, 1) if depth < _FIRST_BOTTLENECK else (bottleneck, EXPANSION)
    stem = conv_norm_act(in_channels, width, 7, stride=2)
    stem.add_module("pool", nn.MaxPool2d(3, 2, 1))
    blocks, channels = [], width
    for stage, count in enumerate(_UNITS[depth]):
        for index in range(count):
            stride = 2 if stage and not index else 1
            blocks.append(unit(channels, width * 2**stage, stride=stride, option=option))
            channels = factor * width * 2**stage
    return classifier_chain(stem, blocks, channels, num_classes)


def _record(depth: int, params: int, macs: int, paper: str) -> Network:
    build = partial(resnet, depth=depth)
    return Network(
        f"resnet-{depth}",
        build,
        (3, 224, 224),
        1000,
        _SOURCE,
        params,
        macs=macs,
        paper=paper,
        smallest=32,
    )


RESNET_18 = _record(18, 11_689_512, 1_814_073_344, "1.8 G MACs")
RESNET_34 = _record(34, 21_797_672, 3_663_761_408, "3.6 G MACs")
RESNET_50 = _record(50, 25_557_032, 4_089_184_256, "3.8 G MACs")
RESNET_101 = _record(101, 44_549_160, 7_801_405_440, "7.6 G MACs")
RESNET_152 = _record(152, 60_192_808, 11_513_626_624, "11.3 G MACs")
