"""The plain CIFAR networks of the IGCV1 paper, interleaved and regular.

Depth D: a 3×3 stem, three stages of (D − 2)/3 blocks at widths w, 2w, 4w, the first block of the
last two stages with stride 2, global average pool, linear layer. In the interleaved networks
w = L·M, L stays fixed and M doubles from stage to stage.

Source: Zhang, Qi, Xiao, Wang, "Interleaved Group Convolutions for Deep Neural Networks", 2017,
table 2. The norms keep PyTorch's epsilon 1e-5 where the authors used 2e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.igc import igc_block
from gossamer.nets.network import Network

_SOURCE = "IGCV1 (Zhang et al. 2017), CIFAR, plain"


def _three_stages(
    num_classes: int, in_channels: int, width: int, depth: int, block: Callable[..., nn.Module]
) -> nn.Module:
    if depth < 5 or depth % 3 != 2:
        raise SpecError("the depth must be 3·B + 2 with B ≥ 1", got=depth)
    widths = [width * 2**stage for stage in range(3) for _ in range((depth - 2) // 3)]
    blocks = [
        block(before, after, stride=after // before)
        for before, after in zip([width, *widths], widths, strict=False)
    ]
    return classifier_chain(conv_norm_act(in_channels, width), blocks, widths[-1], num_classes)


def regular(num_classes: int, in_channels: int, width: int = 16, depth: int = 20) -> nn.Module:
    """Return RegConv-W of the given depth: the same chain with dense 3×3 convolutions."""
    return _three_stages(num_classes, in_channels, width, depth, conv_norm_act)


def interleaved(
    num_classes: int, in_channels: int, primary: int = 24, secondary: int = 2, depth: int = 20
) -> nn.Module:
    """Return IGC-L{primary}M{secondary} of the given depth."""
    block = partial(igc_block, primary_groups=primary)
    return _three_stages(num_classes, in_channels, primary * secondary, depth, block)


def _regular(name: str, width: int, params: int) -> Network:
    return Network(name, partial(regular, width=width), (3, 32, 32), 10, _SOURCE, params)


def _interleaved(name: str, primary: int, secondary: int, depth: int, params: int) -> Network:
    build = partial(interleaved, primary=primary, secondary=secondary, depth=depth)
    return Network(name, build, (3, 32, 32), 10, _SOURCE, params)


REGCONV_W16_D20 = _regular("regconv-w16-d20", 16, 269_722)
REGCONV_W18_D20 = _regular("regconv-w18-d20", 18, 341_020)
L24M2_D20 = _interleaved("igcv1-l24m2-d20", 24, 2, 20, 155_962)
L24M2_D38 = _interleaved("igcv1-l24m2-d38", 24, 2, 38, 317_242)
L4M8_D20 = _interleaved("igcv1-l4m8-d20", 4, 8, 20, 277_546)
