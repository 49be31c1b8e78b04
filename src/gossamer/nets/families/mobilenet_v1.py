"""MobileNet: a chain of depthwise-separable convolutions.

Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017, table 1.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.separable import separable_norm_act
from gossamer.nets.network import Network

_SOURCE = "MobileNet (Howard et al. 2017)"

# Width and stride of each block.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet_v1(num_classes: int, in_channels: int, width_multiplier: float = 1.0) -> nn.Module:
    """Return MobileNet.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width_multiplier: of every width, rounded down.

    Raises:
        SpecError: if a width would be less than one channel.
    """
    before = int(32 * width_multiplier)
    if before < 1:
        raise SpecError("no channel is left", got=width_multiplier, expected="at least 1/32")
    stem = conv_norm_act(in_channels, before, stride=2)
    blocks: list[nn.Module] = []
    for width, stride in _BLOCKS:
        after = int(width * width_multiplier)
        blocks.append(separable_norm_act(before, after, stride=stride))
        before = after
    return classifier_chain(stem, blocks, before, num_classes)


def _network(name: str, width_multiplier: float, params: int, macs: int, paper: str) -> Network:
    build = partial(mobilenet_v1, width_multiplier=width_multiplier)
    return Network(name, build, (3, 224, 224), 1000, _SOURCE, params, macs, paper, smallest=32)


X100 = _network("mobilenet-v1", 1.0, 4_231_976, 568_740_352, "4.2 M, 569 M MACs")
X075 = _network("mobilenet-v1-0.75", 0.75, 2_585_560, 325_400_448, "2.6 M, 325 M MACs")
X050 = _network("mobilenet-v1-0.5", 0.5, 1_331_592, 149_497_088, "1.3 M, 149 M MACs")
X025 = _network("mobilenet-v1-0.25", 0.25, 470_072, 41_030_272, "0.5 M, 41 M MACs")
