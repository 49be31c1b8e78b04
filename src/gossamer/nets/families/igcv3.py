"""The networks of the IGCV3 paper: deeper (D) and wider (W) than MobileNetV2.

A 3×3 stem with stride 2, stages of IGCV3 blocks, a 1×1 convolution to 1,280 channels, global
average pool, linear layer. D has the widths of MobileNetV2 and about twice its blocks, W its
blocks and twice the widths. Unlike MobileNetV2, the first block has its 1×1 convolution although
it does not expand.

Source: Sun, Li, Liu, Wang, "IGCV3: Interleaved Low-Rank Group Convolutions for Efficient Deep
Neural Networks", 2018, and the authors' code. Their tables print other counts: 318 M MACs where
there are 312.97 M; CIFAR counts without the linear layer; and 2.8 M and 7.2 M at width 0.7 and
1.4, which neither the clean rule (2.50 M, 6.02 M) nor their code (2.45 M, 6.32 M) gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import lcm
from typing import Any

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.igcv3 import igcv3_block
from gossamer.nets.network import Network

_SOURCE = "IGCV3 (Sun et al. 2018)"
_HEAD = 1280

# Of each stage: expansion, width, stride.
_STAGES = (
    (1, 16, 1),
    (6, 24, 2),
    (6, 32, 2),
    (6, 64, 2),
    (6, 96, 1),
    (6, 160, 2),
    (6, 320, 1),
)
_DEEPER = (1, 4, 6, 8, 6, 6, 1)
_AS_DEEP = (1, 2, 3, 4, 3, 3, 1)


def scaled_width(width: float, multiple: int = 2) -> int:
    """Return the width rounded to a whole number, then up to the next multiple.

    Examples:
        >>> [scaled_width(0.7 * c) for c in (24, 32, 160)]
        [18, 22, 112]
    """
    return -(-round(width) // multiple) * multiple


def _released_width(width: int, width_multiplier: float) -> int:
    """Return what the authors' code takes for the input width of a stage's first block.

    It applies the multiplier to a width that has it already; an odd result becomes width + 1.
    """
    twice = round(width * width_multiplier)
    return width + 1 if twice % 2 else twice


def igcv3(
    num_classes: int,
    in_channels: int,
    width_multiplier: float = 1.0,
    depths: Sequence[int] = _DEEPER,
    groups: tuple[int, int] = (2, 2),
    stage_multiplier: float = 1.0,
    small_images: bool = False,
    as_released: bool = False,
    head: int = _HEAD,
) -> nn.Module:
    """Return an IGCV3 network.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width_multiplier: of every width, rounded up to a multiple of the groups; the last 1×1
            convolution becomes wider than `head` but never narrower.
        depths: blocks of each of the seven stages.
        groups: G1 of the expansions, G2 of the projections.
        stage_multiplier: of the widths of the stages only, not of the stem and the end.
        small_images: strides of the stem and of the second stage 1, for 32×32 images.
        as_released: apply the width multiplier twice to the expansion of each stage's first block,
            as the authors' code does by mistake.
        head: width of the last 1×1 convolution, ≥ 1; 1,280 in the paper.

    Raises:
        SpecError: if there are not seven depths, or a number is out of range.
    """
    if len(depths) != len(_STAGES) or min(depths) < 1:
        raise SpecError("seven depths of 1 or more are needed", got=depths)
    if min(width_multiplier, stage_multiplier) <= 0 or min(*groups, head) < 1:
        raise SpecError(
            "multipliers, groups and head must be positive",
            got=(width_multiplier, stage_multiplier, groups, head),
        )
    multiple = lcm(2, *groups)
    first = before = scaled_width(32 * width_multiplier, multiple)
    blocks: list[nn.Module] = []
    for stage, ((expansion, width, stride), depth) in enumerate(zip(_STAGES, depths, strict=True)):
        after = scaled_width(width * stage_multiplier * width_multiplier, multiple)
        twice = as_released and stage > 0
        counted = _released_width(before, width_multiplier) if twice else before
        step = 1 if small_images and stage == 1 else stride
        blocks.append(_block(before, after, expansion * counted, groups, step))
        blocks += [_block(after, after, expansion * after, groups, 1) for _ in range(depth - 1)]
        before = after
    last = int(head * width_multiplier) + 1 if width_multiplier > 1 else head
    blocks.append(conv_norm_act(before, last, 1, act=nn.ReLU6))
    stem = conv_norm_act(in_channels, first, stride=1 if small_images else 2, act=nn.ReLU6)
    return classifier_chain(stem, blocks, last, num_classes)


def _block(
    before: int, after: int, expanded: int, groups: tuple[int, int], stride: int
) -> nn.Module:
    return igcv3_block(before, after, expanded=expanded, groups=groups, stride=stride)


def _network(name: str, params: int, macs: int, paper: str = "", **options: Any) -> Network:
    build = partial(igcv3, **options)
    return Network(name, build, (3, 224, 224), 1000, _SOURCE, params, macs, paper, smallest=32)


D = _network("igcv3-d", 3_491_688, 312_970_176, "3.5 M, 318 M MACs")
D_140 = _network("igcv3-d-1.4", 6_024_454, 590_039_372, "7.2 M, 610 M MACs", width_multiplier=1.4)
D_075 = _network("igcv3-d-0.75", 2_638_084, 189_889_232, width_multiplier=0.75)
D_070 = _network("igcv3-d-0.7", 2_502_486, 174_574_184, "2.8 M, 210 M MACs", width_multiplier=0.7)
D_050 = _network("igcv3-d-0.5", 1_985_528, 96_913_888, width_multiplier=0.5)
D_025 = _network("igcv3-d-0.25", 1_534_020, 34_044_144, width_multiplier=0.25)
D_G2G4 = _network("igcv3-d-g2g4", 3_063_304, 255_819_712, groups=(2, 4))
W = _network("igcv3-w", 5_724_968, 585_817_856, depths=_AS_DEEP, stage_multiplier=2.0)
D_CIFAR = Network(
    "igcv3-d-cifar",
    partial(igcv3, small_images=True),
    (3, 32, 32),
    10,
    f"{_SOURCE}, CIFAR",
    2_223_498,
    93_531_648,
    "2.2 M without the linear layer",
    smallest=8,
)
