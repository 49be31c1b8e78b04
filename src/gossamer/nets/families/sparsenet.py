"""SparseNet: a layer reads those at the distances 1, c, c², … before it.

*concat* networks are DenseNets with that pattern: three stages for CIFAR, plain or with bottlenecks
and compression (BC), four BC stages for ImageNet. *sum* networks are pre-activation ResNets with
it: a unit reads the sum of the units at those distances instead of the sum of all. They have the
parameters of the ResNet of the same depth; how a stage begins is not in the authors' released code,
and is as in the ResNet here: norm → ReLU, then y_0 a strided 1×1 convolution of it and y_1 the
first unit, strided too.

Three conventions of the stem are about, k, 2·k and 16 channels. The paper's CIFAR totals are those
of 2·k (k of the first stage; of 64 for BC-100-{16, 32, 64}), its ImageNet totals those of k and of
a classifier that reads a 3×3 map; these are the defaults. For BC-100-{32, 64, 128} no convention
gives the 16.72 M of the paper.

Source: Zhu, Deng, Maire, Deng, Mori, Tan, "Sparsely Aggregated Convolutional Networks", 2018.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.aggregation import Aggregation
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv2d, conv_norm_act
from gossamer.nets.blocks.dense_stages import cifar_growths, dense_stages
from gossamer.nets.connectivity.aggregation import sources_of
from gossamer.nets.network import Network

_SOURCE = "SparseNet (Zhu et al. 2018)"


def concat(
    num_classes: int,
    in_channels: int,
    depth: int = 40,
    growth: int | Sequence[int] = 24,
    bottleneck: bool = False,
    compression: float | None = None,
    stem: int | None = None,
    base: int = 2,
    aggregation: str = "sparse",
    checkpoint: int = 0,
) -> nn.Module:
    """Return SparseNet[concat] for CIFAR; pictures may have any size from 4×4.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: L = 3·n + 4, with bottlenecks 6·n + 4.
        growth: k, one number or one a stage.
        bottleneck: 1×1 convolutions to 4·k before the 3×3.
        compression: of the transitions; default 1, with bottlenecks 0.5.
        stem: channels of the first convolution; default 2·k of the first stage.
        base: c ≥ 2.
        aggregation: "sparse", "dense" or "chain".
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if the depth does not fit or a number is out of range.
    """
    growths = cifar_growths(depth, growth, bottleneck)
    stem = stem or 2 * growths[0][0]
    parts, width = dense_stages(
        stem,
        growths,
        sources_of(aggregation, base),
        bottleneck=bottleneck,
        compression=(0.5 if bottleneck else 1.0) if compression is None else compression,
        checkpoint=checkpoint,
    )
    trunk = [nn.Sequential(OrderedDict(parts)), nn.ReLU()]
    return classifier_chain(conv2d(in_channels, stem), trunk, width, num_classes)


def additive(
    num_classes: int,
    in_channels: int,
    depth: int = 20,
    width: int = 16,
    base: int = 2,
    aggregation: str = "sparse",
    checkpoint: int = 0,
) -> nn.Module:
    """Return SparseNet[sum] for CIFAR; pictures may have any size from 4×4.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: 6·n + 2, n units of two 3×3 convolutions in each of three stages.
        width: channels of the first stage, doubled from stage to stage.
        base: c ≥ 2.
        aggregation: "sparse"; "dense" is the pre-activation ResNet itself; "chain" a plain network.
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if the depth does not fit or a number is out of range.
    """
    if depth < 8 or depth % 6 != 2 or width < 1:
        got = f"depth={depth}, width={width}"
        raise SpecError("the depth must be 6·n + 2 with n ≥ 1, the width positive", got=got)
    units, widths = (depth - 2) // 6, [width, 2 * width, 4 * width]
    options = {"join": "sum", "checkpoint": checkpoint}
    trunk, sources = list[nn.Module](), sources_of(aggregation, base)
    for before, after in zip([width, *widths], widths, strict=False):
        rest = [_unit(after, after) for _ in range(units - 1)]
        if before == after:
            trunk.append(Aggregation([_unit(after, after), *rest], sources, **options))
            continue
        trunk.append(_norm_act(before))
        first = _convolutions(before, after, stride=2)
        entry = conv2d(before, after, 1, stride=2)
        trunk.append(Aggregation([first, *rest], sources, entry=entry, **options))
    trunk.append(_norm_act(widths[-1]))
    return classifier_chain(conv2d(in_channels, width), trunk, widths[-1], num_classes)


def imagenet(
    num_classes: int,
    in_channels: int,
    blocks: Sequence[int] = (6, 12, 24, 16),
    growth: int = 32,
    stem: int | None = None,
    base: int = 2,
    pool: str = "3x3",
    checkpoint: int = 0,
) -> nn.Module:
    """Return SparseNet[concat] for ImageNet.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        blocks: units of each stage.
        growth: k.
        stem: channels of the first convolution; default k. Another toolkit has 64.
        base: c ≥ 2.
        pool: "3x3" as in the paper: the last map, 7×7 or 8×8, is averaged to 3×3 before the
            classifier; "global" for pictures of any size from 29×29.
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if a number is out of range or the pool is unknown.
    """
    pools = {"3x3": (nn.AvgPool2d(3, 2), 9), "global": (nn.AdaptiveAvgPool2d(1), 1)}
    if pool not in pools:
        raise SpecError("unknown pool", got=pool, expected=" | ".join(pools))
    stem = stem or growth
    parts, width = dense_stages(
        stem,
        [[growth] * units for units in blocks],
        sources_of("sparse", base),
        bottleneck=True,
        compression=0.5,
        checkpoint=checkpoint,
    )
    first = conv_norm_act(in_channels, stem, 7, stride=2)
    first.add_module("pool", nn.MaxPool2d(3, 2, 1))
    trunk = [nn.Sequential(OrderedDict(parts)), nn.ReLU()]
    model = classifier_chain(first, trunk, width * pools[pool][1], num_classes)
    model.add_module("pool", pools[pool][0])
    return model


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(channels), act=nn.ReLU()))


def _convolutions(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=conv2d(in_channels, out_channels, stride=stride),
            norm2=nn.BatchNorm2d(out_channels),
            act2=nn.ReLU(),
            conv2=conv2d(out_channels, out_channels),
        )
    )


def _unit(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm1=nn.BatchNorm2d(in_channels),
            act1=nn.ReLU(),
            **dict(_convolutions(in_channels, out_channels).named_children()),
        )
    )


def _concat(
    depth: int,
    growth: int | tuple[int, ...],
    params: int,
    macs: int,
    paper: str = "",
    *,
    bc: bool = False,
    stem: int | None = None,
) -> Network:
    rates = "-".join(str(k) for k in ([growth] if isinstance(growth, int) else growth))
    name = f"sparsenet-concat-{'bc-' if bc else ''}{depth}-k{rates}-cifar"
    build = partial(concat, depth=depth, growth=growth, bottleneck=bc, stem=stem)
    return Network(
        name, build, (3, 32, 32), 10, _SOURCE, params, macs=macs, paper=paper, smallest=4
    )


def _sum(depth: int, params: int, macs: int) -> Network:
    build, name = partial(additive, depth=depth), f"sparsenet-sum-{depth}-cifar"
    return Network(name, build, (3, 32, 32), 10, _SOURCE, params, macs=macs, smallest=4)


def _imagenet(
    name: str, blocks: Sequence[int], params: int, macs: int, paper: str, growth: int = 32
) -> Network:
    build = partial(imagenet, blocks=blocks, growth=growth)
    return Network(name, build, (3, 224, 224), 1000, _SOURCE, params, macs=macs, paper=paper)


CONCAT_40_K24 = _concat(40, 24, 748_522, 312_054_720, "0.76 M (100 classes)")
CONCAT_100_K24 = _concat(100, 24, 2_509_354, 1_050_072_480, "2.52 M (100 classes)")
CONCAT_100_K36 = _concat(100, 36, 5_626_378, 2_361_666_672, "5.65 M (100 classes)")
CONCAT_100_MIXED = _concat(100, (16, 32, 64), 7_183_498, 1_046_056_704, "7.22 M (100 classes)")
CONCAT_BC_100_K24 = _concat(100, 24, 1_450_234, 640_992_432, "1.46 M (100 classes)", bc=True)
BC_100_MIXED = _concat(
    100, (16, 32, 64), 4_347_962, 649_530_496, "4.38 M (100 classes)", bc=True, stem=64
)
BC_100_WIDE = _concat(
    100, (32, 64, 128), 17_282_090, 2_550_864_128, "16.72 M (100 classes)", bc=True
)
CONCAT_1000_K12 = _concat(1000, 12, 10_072_234, 4_387_572_792)

SUM_20 = _sum(20, 272_282, 40_813_184)
SUM_110 = _sum(110, 1_730_522, 253_149_824)

CONCAT_121 = _imagenet(
    "sparsenet-concat-121", (6, 12, 24, 16), 4_513_576, 1_723_480_320, "4.51 M, 3.46 GFLOPs"
)
CONCAT_169 = _imagenet(
    "sparsenet-concat-169", (6, 12, 32, 32), 6_228_616, 1_862_454_784, "6.23 M, 3.74 GFLOPs"
)
CONCAT_201 = _imagenet(
    "sparsenet-concat-201", (6, 12, 48, 32), 7_221_896, 2_055_130_624, "7.22 M, 4.13 GFLOPs"
)
CONCAT_201_K48 = _imagenet(
    "sparsenet-concat-201-k48",
    (6, 12, 48, 32),
    14_907_736,
    4_578_492_672,
    "14.91 M, 9.19 GFLOPs",
    growth=48,
)
