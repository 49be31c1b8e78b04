"""MobileNetV2: inverted residuals with linear bottlenecks.

A 3×3 stem with stride 2, stages of inverted residuals, a 1×1 convolution to 1,280 channels, global
average pool, linear layer.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2
(which prints a wrong size after the fourth stage). The paper has dropout nowhere in the network;
some implementations add it before the linear layer.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.inverted_residual import inverted_residual
from gossamer.nets.network import Network

_SOURCE = "MobileNetV2 (Sandler et al. 2018)"

# Expansion, width, blocks, stride of each stage.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def divisible_width(width: float, divisor: int = 8) -> int:
    """Return the nearest multiple of the divisor that is at least 0.9 times the width.

    Examples:
        >>> [divisible_width(0.75 * c) for c in (16, 24, 320)]
        [16, 24, 240]
    """
    nearest = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * width else nearest + divisor


def mobilenet_v2(
    num_classes: int,
    in_channels: int,
    width_multiplier: float = 1.0,
    small_images: bool = False,
) -> nn.Module:
    """Return MobileNetV2.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width_multiplier: of every width, rounded to a multiple of 8; the last 1×1 convolution
            becomes wider than 1,280 but never narrower.
        small_images: strides of the stem and of the second stage 1, for 32×32 images.

    Raises:
        SpecError: if the multiplier is not positive.
    """
    if width_multiplier <= 0:
        raise SpecError("the multiplier must be positive", got=width_multiplier)
    first = before = divisible_width(32 * width_multiplier)
    blocks: list[nn.Module] = []
    for stage, (expansion, width, depth, stride) in enumerate(_STAGES):
        after = divisible_width(width * width_multiplier)
        step = 1 if small_images and stage == 1 else stride
        for index in range(depth):
            blocks.append(
                inverted_residual(
                    before, after, expansion=expansion, stride=step if index == 0 else 1
                )
            )
            before = after
    head = divisible_width(1280 * max(1.0, width_multiplier))
    blocks.append(conv_norm_act(before, head, 1, act=nn.ReLU6))
    stem = conv_norm_act(in_channels, first, stride=1 if small_images else 2, act=nn.ReLU6)
    return classifier_chain(stem, blocks, head, num_classes)


def _network(name: str, width_multiplier: float, params: int, macs: int, paper: str) -> Network:
    build = partial(mobilenet_v2, width_multiplier=width_multiplier)
    return Network(name, build, (3, 224, 224), 1000, _SOURCE, params, macs, paper, smallest=32)


X140 = _network("mobilenet-v2-1.4", 1.4, 6_108_776, 582_195_824, "6.9 M, 585 M MACs")
X130 = _network("mobilenet-v2-1.3", 1.3, 5_386_792, 509_374_560, "")
X100 = _network("mobilenet-v2", 1.0, 3_504_872, 300_774_272, "3.4 M, 300 M MACs")
X075 = _network("mobilenet-v2-0.75", 0.75, 2_636_424, 209_069_792, "")
X050 = _network("mobilenet-v2-0.5", 0.5, 1_968_680, 97_131_840, "")
X035 = _network("mobilenet-v2-0.35", 0.35, 1_677_128, 59_285_808, "")
CIFAR = Network(
    "mobilenet-v2-cifar",
    partial(mobilenet_v2, small_images=True),
    (3, 32, 32),
    10,
    f"{_SOURCE}, CIFAR as in the IGCV3 paper",
    2_236_682,
    87_976_448,
    "2.1 M without the linear layer",
    smallest=8,
)
