"""Log-DenseNet: layer i reads the layers i − 1, i − 2, i − 4, … counted over the whole network.

SparseNet has the same pattern, but begins again in every stage; here connections cross the stages
and what they carry is averaged 2×2 where the resolution halves. There is no transition layer. Any
two layers are at most 1 + log₂ L links apart.

Source: Hu, Dey, Del Giorno, Hebert, Bagnell, "Log-DenseNet: How to Sparsify a DenseNet", 2017, the
first version. The depths and growth rates registered are those of DenseNet and SparseNet beside
which it is to be compared; the paper's exact tables were not at hand.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from gossamer.nets.blocks.aggregation import concat_stage
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.dense_stages import BOTTLENECK, cifar_growths
from gossamer.nets.blocks.dense_unit import dense_unit
from gossamer.nets.connectivity.aggregation import sparse_sources
from gossamer.nets.network import Network

_SOURCE = "Log-DenseNet (Hu et al. 2017), CIFAR"


def log_densenet(
    num_classes: int,
    in_channels: int,
    depth: int = 40,
    growth: int = 24,
    bottleneck: bool = False,
    base: int = 2,
    checkpoint: int = 0,
) -> nn.Module:
    """Return Log-DenseNet with three stages, for pictures of any size from 4×4.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: L = 3·n + 4, with bottlenecks 6·n + 4, as for DenseNet, whose two transitions count.
        growth: k; the stem has 2·k channels.
        bottleneck: 1×1 convolutions to 4·k before the 3×3.
        base: c ≥ 2; layer i reads those at the distances 1, c, c², …
        checkpoint: units that training computes again together, to save memory; 0: none.

    Raises:
        SpecError: if the depth does not fit or a number is out of range.
    """
    stages = cifar_growths(depth, growth, bottleneck)
    units = len(stages[0])
    trunk, width = concat_stage(
        2 * growth,
        [rate for stage in stages for rate in stage],
        partial(sparse_sources, base=base),
        partial(dense_unit, bottleneck=BOTTLENECK if bottleneck else 0),
        pool_before=(units + 1, 2 * units + 1),
        checkpoint=checkpoint,
    )
    norm_act = nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(width), act=nn.ReLU()))
    return classifier_chain(conv2d(in_channels, 2 * growth), [trunk, norm_act], width, num_classes)


def _record(depth: int, growth: int, params: int, macs: int, *, bc: bool = False) -> Network:
    build = partial(log_densenet, depth=depth, growth=growth, bottleneck=bc)
    name = f"log-densenet-{'bc-' if bc else ''}{depth}-k{growth}-cifar"
    return Network(name, build, (3, 32, 32), 10, _SOURCE, params, macs=macs, smallest=4)


K24_D40 = _record(40, 24, 866_314, 317_842_848)
K24_D100 = _record(100, 24, 2_928_010, 1_081_591_440)
BC_K24_D100 = _record(100, 24, 1_565_002, 648_955_296, bc=True)
