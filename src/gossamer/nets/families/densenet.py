"""DenseNet: every layer of a stage reads all before it.

For CIFAR: three stages, plain or with bottlenecks and compression (BC); the stem has 16 channels,
in BC networks twice the growth rate. For ImageNet: four BC stages; parts are named as torchvision
names them, so that its weights load as they are.

Source: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", 2017.
The paper's totals are those of CIFAR-10 rounded, and torchvision's for ImageNet. `expander` makes
the X-DenseNets of Prabhu et al. 2018: all convolutions but the stem keep one weight of X.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.dense_stages import cifar_growths, dense_stages
from gossamer.nets.blocks.expander import ExpanderConv2d
from gossamer.nets.connectivity.aggregation import dense_sources
from gossamer.nets.network import Network

_SOURCE = "DenseNet (Huang et al. 2017)"
_NAMES = ("denseblock", "denselayer")


def cifar(
    num_classes: int,
    in_channels: int,
    depth: int = 40,
    growth: int = 12,
    bottleneck: bool = False,
    compression: float | None = None,
    stem: int | None = None,
    expander: int = 1,
    checkpoint: int = 0,
) -> nn.Module:
    """Return DenseNet-L-k or DenseNet-BC-L-k for pictures of any size from 4×4.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: L = 3·n + 4, with bottlenecks 6·n + 4.
        growth: k.
        bottleneck: 1×1 convolutions to 4·k before the 3×3.
        compression: of the transitions; default 1, with bottlenecks 0.5.
        stem: channels of the first convolution; default 16, with bottlenecks 2·k.
        expander: X; above 1, convolutions after the stem have fixed random connections.
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if the depth does not fit or a number is out of range.
    """
    stem = stem or (2 * growth if bottleneck else 16)
    parts, width = dense_stages(
        stem,
        cifar_growths(depth, growth, bottleneck),
        dense_sources,
        bottleneck=bottleneck,
        compression=(0.5 if bottleneck else 1.0) if compression is None else compression,
        checkpoint=checkpoint,
        conv=partial(ExpanderConv2d, sparsify=expander) if expander > 1 else conv2d,
        names=_NAMES,
    )
    return _classifier({"conv0": conv2d(in_channels, stem)} | parts, width, num_classes)


def imagenet(
    num_classes: int,
    in_channels: int,
    blocks: Sequence[int] = (6, 12, 24, 16),
    growth: int = 32,
    checkpoint: int = 0,
) -> nn.Module:
    """Return DenseNet-BC for pictures of any size from 29×29.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        blocks: units of each stage.
        growth: k; the stem has 2·k channels.
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if a number is out of range.
    """
    parts, width = dense_stages(
        2 * growth,
        [[growth] * units for units in blocks],
        dense_sources,
        bottleneck=True,
        compression=0.5,
        checkpoint=checkpoint,
        names=_NAMES,
    )
    stem: dict[str, nn.Module] = {
        "conv0": conv2d(in_channels, 2 * growth, 7, stride=2),
        "norm0": nn.BatchNorm2d(2 * growth),
        "relu0": nn.ReLU(),
        "pool0": nn.MaxPool2d(3, 2, 1),
    }
    return _classifier(stem | parts, width, num_classes)


def _classifier(features: dict[str, nn.Module], width: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(OrderedDict(features)),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Linear(width, num_classes),
        )
    )


def _cifar(
    depth: int, growth: int, params: int, macs: int, paper: str, bc: bool = False
) -> Network:
    build: Callable[..., nn.Module] = partial(cifar, depth=depth, growth=growth, bottleneck=bc)
    name = f"densenet-{'bc-' if bc else ''}{depth}-k{growth}-cifar"
    return Network(
        name, build, (3, 32, 32), 10, _SOURCE, params, macs=macs, paper=paper, smallest=4
    )


def _imagenet(
    depth: int, blocks: Sequence[int], params: int, macs: int, paper: str = "", growth: int = 32
) -> Network:
    build = partial(imagenet, blocks=blocks, growth=growth)
    name = f"densenet-{depth}"
    return Network(
        name, build, (3, 224, 224), 1000, _SOURCE, params, macs=macs, paper=paper, smallest=29
    )


K12_D40 = _cifar(40, 12, 1_019_722, 264_812_928, "1.0 M")
K12_D100 = _cifar(100, 12, 6_979_642, 1_769_516_448, "7.0 M")
K24_D100 = _cifar(100, 24, 27_249_082, 6_889_347_744, "27.2 M")
BC_K12_D100 = _cifar(100, 12, 769_162, 287_929_692, "0.8 M", bc=True)
BC_K24_D250 = _cifar(250, 24, 15_324_406, 5_418_785_724, "15.3 M", bc=True)
BC_K40_D190 = _cifar(190, 40, 25_624_430, 9_301_945_740, "25.6 M", bc=True)

DENSENET_121 = _imagenet(121, (6, 12, 24, 16), 7_978_856, 2_834_161_664)
DENSENET_161 = _imagenet(161, (6, 12, 36, 24), 28_681_000, 7_727_907_072, growth=48)
DENSENET_169 = _imagenet(169, (6, 12, 32, 32), 14_149_480, 3_359_843_328)
DENSENET_201 = _imagenet(201, (6, 12, 48, 32), 20_013_928, 4_291_365_888)
DENSENET_264 = _imagenet(264, (6, 12, 64, 48), 33_337_704, 5_751_653_376)
