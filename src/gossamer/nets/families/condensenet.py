"""CondenseNet: a DenseNet over all resolutions whose 1×1 convolutions learn their groups.

Every layer reads all before it, across stages too, where features are only averaged 2×2; the growth
rate doubles from stage to stage. A unit is norm → ReLU → learned group 1×1 to 4·k → norm → ReLU →
3×3 in as many groups. A network is built dense, for training; during the first half of it
`gossamer.nets.blocks.learned_group.condense_to` brings it to its last stage, and `to_index_form`
then makes it the network whose size the paper prints, which `condensed=True` builds directly.

Source: Huang, Liu, van der Maaten, Weinberger, "CondenseNet", 2018. The paper's MACs count
activations and pooling too, the record's do not; the record is of the network for training.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import accumulate

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.aggregation import concat_stage
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.learned_group import (
    LearnedGroupConv,
    index_form,
    select_features,
    to_index_form,
)
from gossamer.nets.connectivity.aggregation import dense_sources
from gossamer.nets.network import Network

_SOURCE = "CondenseNet (Huang et al. 2018)"
_BOTTLENECK = 4


def condensenet(
    num_classes: int,
    in_channels: int,
    blocks: Sequence[int] = (14, 14, 14),
    growths: Sequence[int] = (8, 16, 32),
    groups: int = 4,
    factor: int = 4,
    stem_stride: int = 1,
    halved_head: bool = False,
    condensed: bool = False,
    checkpoint: int = 0,
) -> nn.Module:
    """Return a CondenseNet, for training or as it is once condensed.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        blocks: units of each stage.
        growths: k of each stage; the stem has twice the first.
        groups: G of the learned group convolutions and of the 3×3.
        factor: C, their condensation factor.
        stem_stride: 1 for CIFAR, 2 for ImageNet.
        halved_head: whether the condensed network's linear layer reads half of the features.
        condensed: build the network as `condense` returns it.
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if a number is out of range, or a width no multiple of the groups or the factor.
    """
    if not blocks or len(blocks) != len(growths) or min(*blocks, *growths) < 1:
        got = f"blocks={blocks}, growths={growths}"
        raise SpecError("a number of units and a growth for each stage", got=got)
    stem = 2 * growths[0]
    trunk, width = concat_stage(
        stem,
        [rate for rate, units in zip(growths, blocks, strict=True) for _ in range(units)],
        dense_sources,
        partial(_unit, groups=groups, factor=factor, condensed=condensed),
        pool_before=[units + 1 for units in accumulate(blocks[:-1])],
        checkpoint=checkpoint,
    )
    norm_act = nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(width), act=nn.ReLU()))
    first = conv2d(in_channels, stem, stride=stem_stride)
    model = classifier_chain(first, [trunk, norm_act], width, num_classes)
    if condensed and halved_head:
        _halve_head(model)
    return model


def condense(model: nn.Module, *, halved_head: bool = False) -> nn.Module:
    """Bring a trained network into its condensed form, in place, and return it.

    Args:
        model: of `condensenet`, its learned group convolutions condensed to the last stage.
        halved_head: let the linear layer read only the half of the features with the largest
            weights, which changes the function a little; without it the function stays.

    Raises:
        SpecError: if the model is not condensed to the last stage.

    Examples:
        >>> from gossamer.nets.blocks.learned_group import condense_to
        >>> model = condensenet(10, 3, blocks=(1, 1), growths=(4, 8))
        >>> condense_to(model, 3)
        >>> sum(p.numel() for p in condense(model).parameters())
        1450
    """
    to_index_form(model)
    if halved_head:
        _halve_head(model)
    return model


def _halve_head(model: nn.Module) -> None:
    head = model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    model.add_module("head", select_features(head, head.in_features // 2))


def _unit(
    in_channels: int, growth: int, *, groups: int, factor: int, condensed: bool
) -> nn.Sequential:
    inner = _BOTTLENECK * growth
    learned = index_form if condensed else LearnedGroupConv
    return nn.Sequential(
        OrderedDict(
            norm1=nn.BatchNorm2d(in_channels),
            act1=nn.ReLU(),
            conv1=learned(in_channels, inner, groups=groups, factor=factor),
            norm2=nn.BatchNorm2d(inner),
            act2=nn.ReLU(),
            conv2=conv2d(inner, growth, groups=groups),
        )
    )


def _cifar(
    depth: int,
    params: int,
    macs: int,
    paper: str,
    growths: Sequence[int] = (8, 16, 32),
    **options: bool,
) -> Network:
    blocks = ((depth - 2) // 6,) * 3
    build = partial(condensenet, blocks=blocks, growths=growths, **options)
    name = f"condensenet-{depth}-cifar"
    return Network(
        name, build, (3, 32, 32), 10, _SOURCE, params, macs=macs, paper=paper, smallest=4
    )


def _imagenet(groups: int, params: int, macs: int, paper: str) -> Network:
    build = partial(
        condensenet,
        blocks=(4, 6, 8, 10, 8),
        growths=(8, 16, 32, 64, 128),
        groups=groups,
        factor=groups,
        stem_stride=2,
        halved_head=True,
    )
    name = f"condensenet-74-c{groups}g{groups}"
    return Network(
        name, build, (3, 224, 224), 1000, _SOURCE, params, macs=macs, paper=paper, smallest=31
    )


D50 = _cifar(50, 522_938, 64_934_432, "0.22 M condensed")
D74 = _cifar(74, 1_090_906, 131_783_392, "0.41 M condensed")
D86 = _cifar(86, 1_451_594, 173_858_624, "0.52 M, 65.8 M MACs condensed")
D98 = _cifar(98, 1_863_418, 221_701_024, "0.65 M condensed")
D110 = _cifar(110, 2_326_378, 275_310_592, "0.79 M condensed")
D122 = _cifar(122, 2_840_474, 334_687_328, "0.95 M condensed")
D182 = _cifar(
    182,
    13_792_906,
    1_615_332_192,
    "4.2 M, 513 M MACs condensed",
    growths=(12, 24, 48),
    halved_head=True,
)
C4G4_D74 = _imagenet(4, 11_922_680, 1_267_904_128, "4.8 M, 529 M MACs condensed")
C8G8_D74 = _imagenet(8, 11_103_608, 1_137_847_936, "2.9 M, 274 M MACs condensed")
