"""The networks of the IGCV2 paper: IGCV2* for CIFAR, and the one shaped like MobileNet.

IGCV2*, depth D: a 3×3 stem, three stages of (D − 2)/3 blocks at widths C, 2C, 4C, the last two
beginning with stride 2, global average pool, linear layer. A block is one channel-wise 3×3
convolution and L − 1 group convolutions of 8 channels a group.

Source: Xie et al., "IGCV2: Interleaved Structured Sparse Convolutional Neural Networks", 2018.
Which group convolutions the network shaped like MobileNet has is in none of our sources. Ours
doubles every width of MobileNet but the last and replaces each 1×1 convolution by two of 8 groups:
the balanced form nearest to the paper's figures (3.84 M and 552 M MACs against 4.1 M and 564 M).
"""

from __future__ import annotations

from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.igcv2 import igcv2_block
from gossamer.nets.network import Network

_CIFAR = "IGCV2 (Xie et al. 2018), CIFAR"
_MOBILE = "IGCV2 (Xie et al. 2018), ImageNet, shaped like MobileNet"

# Width of MobileNet's blocks and their stride.
_MOBILE_BLOCKS = (
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


def _pointwise_layers(width: int, group_size: int) -> int:
    """Return ceil(log_K C), the fewest layers whose group sizes multiply to C or more."""
    layers = 1
    while group_size**layers < width:
        layers += 1
    return layers


def star(
    num_classes: int,
    in_channels: int,
    width: int = 416,
    depth: int = 20,
    group_size: int = 8,
    layers: str = "first-stage",
) -> nn.Module:
    """Return IGCV2*-C{width}.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width: of the first stage; the later ones have two and four times as much.
        depth: 3·B + 2.
        group_size: K, channels a group of the 1×1 convolutions; divides the width.
        layers: how many 1×1 convolutions a block has. "first-stage": ceil(log_K C) of the first
            stage in all of them, which gives the paper's count although the later stages'
            composite kernels are not dense; "each-stage": of each stage's own width.

    Raises:
        SpecError: if an option is out of range.
    """
    blocks_a_stage, rest = divmod(depth - 2, 3)
    if blocks_a_stage < 1 or rest:
        raise SpecError("the depth must be 3·B + 2 with B ≥ 1", got=depth)
    if layers not in ("first-stage", "each-stage"):
        raise SpecError("unknown layers", got=layers, expected=["first-stage", "each-stage"])
    if group_size < 2:
        raise SpecError("a group needs two channels or more", got=group_size)
    blocks: list[nn.Module] = []
    before = width
    for stage in range(3):
        after = width * 2**stage
        count = _pointwise_layers(after if layers == "each-stage" else width, group_size)
        sizes = [1] + [group_size] * count
        for _ in range(blocks_a_stage):
            blocks.append(igcv2_block(before, after, sizes, stride=after // before))
            before = after
    return classifier_chain(conv_norm_act(in_channels, width), blocks, before, num_classes)


def mobile(
    num_classes: int,
    in_channels: int,
    width_multiplier: float = 1.0,
    groups: int = 8,
) -> nn.Module:
    """Return the network shaped like MobileNet, for 224×224 images.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width_multiplier: of every width; each must stay a multiple of the groups.
        groups: of both 1×1 convolutions of a block.

    Raises:
        SpecError: if a width is not a multiple of the groups.
    """
    before = round(64 * width_multiplier)
    stem = conv_norm_act(in_channels, before, stride=2)
    blocks: list[nn.Module] = []
    for index, (width, stride) in enumerate(_MOBILE_BLOCKS):
        last = index == len(_MOBILE_BLOCKS) - 1
        after = round(width * (1 if last else 2) * width_multiplier)
        blocks.append(_mobile_block(before, after, groups, stride))
        before = after
    return classifier_chain(stem, blocks, before, num_classes)


def _mobile_block(before: int, after: int, groups: int, stride: int) -> nn.Module:
    if groups < 1 or before % groups or after % groups:
        raise SpecError("the groups must divide every width", got=f"{groups} with {before}")
    sizes = [1, before // groups, before // groups]
    return igcv2_block(before, after, sizes, stride=stride, widen_at=2)


def _star(name: str, params: int, macs: int, paper: str, **options: int | str) -> Network:
    build = partial(star, **options)
    return Network(name, build, (3, 32, 32), 10, _CIFAR, params, macs, paper, smallest=4)


def _mobile(name: str, params: int, macs: int, paper: str, width_multiplier: float) -> Network:
    build = partial(mobile, width_multiplier=width_multiplier)
    return Network(name, build, (3, 224, 224), 1000, _MOBILE, params, macs, paper, smallest=32)


STAR_C416_D20 = _star("igcv2-star-c416-d20", 640_234, 159_121_664, "0.65 M", width=416, depth=20)
STAR_C416_D20_DENSE = _star(
    "igcv2-star-c416-d20-dense",
    760_042,
    174_457_088,
    "0.65 M",
    width=416,
    depth=20,
    layers="each-stage",
)
STAR_C80_D8 = _star("igcv2-star-c80-d8", 44_730, 11_676_800, "", width=80, depth=8)
MOBILE_100 = _mobile("igcv2-1.0", 3_840_744, 552_006_656, "4.1 M, 564 M MACs", 1.0)
MOBILE_050 = _mobile("igcv2-0.5", 1_245_160, 152_369_664, "1.3 M, 156 M MACs", 0.5)
MOBILE_025 = _mobile("igcv2-0.25", 454_152, 45_276_416, "0.5 M, 46 M MACs", 0.25)
