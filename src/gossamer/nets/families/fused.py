"""Deeply-fused nets for CIFAR: plain networks fused by sums, and merge-and-run networks (DFN-MR).

*DFN*: a deep and a shallow plain network with one stem; each stage of both is cut into as many
pieces as the shallow one has convolutions there, and after each piece the results are summed. The
paper's layer tables were not at hand; a width of 32, 16 convolutions a stage in the deep network
("50 layers") and 4 or 5 in the shallow one give its printed 3.7 M and 3.9 M, and are our reading.

*DFN-MR*: blocks of two residual streams that exchange their mean, in three stages. The depth is
that of the plain network with as many convolutions, twice as deep as the network itself. The third
network has 24.2 M parameters; the authors' table says 24.8 M.

Sources: Wang, Wei, Zhang, Zeng, "Deeply-Fused Nets", 2016; Zhao, Wang, Li, Tu, Zeng, "Deep
Convolutional Neural Networks with Merge-and-Run Mappings", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.fused import DeeplyFused, MergeAndRun
from gossamer.nets.network import Network

_STAGES = 3


def deeply_fused(
    num_classes: int,
    in_channels: int,
    lengths: Sequence[int] = (16, 4),
    width: int = 32,
    fusions: int | None = None,
) -> nn.Module:
    """Return plain base networks fused by sums, for pictures of any size.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        lengths: 3×3 convolutions that each base network has in each of the three stages.
        width: channels of the first stage, doubled from stage to stage.
        fusions: sums a stage, at most the least length, which is the default.

    Raises:
        SpecError: if a number is out of range.
    """
    fusions = min(lengths, default=0) if fusions is None else fusions
    if not 1 <= fusions <= min(lengths, default=0) or width < 1:
        got = f"lengths={lengths}, width={width}, fusions={fusions}"
        raise SpecError("needs 1 ≤ fusions ≤ every length, and a positive width", got=got)
    blocks, channels = list[nn.Module](), width
    for stage in range(_STAGES):
        for piece in range(fusions):
            target, stride = width * 2**stage, 2 if stage and not piece else 1
            pieces = [_part(length, fusions, piece) for length in lengths]
            blocks.append(DeeplyFused(_plain(n, channels, target, stride) for n in pieces))
            channels = target
    return classifier_chain(conv_norm_act(in_channels, width), blocks, channels, num_classes)


class _Streams(nn.Module):
    """Merge-and-run blocks in a row: (N, C, H, W), doubled, to one (N, K, H', W')."""

    def __init__(self, blocks: Sequence[MergeAndRun]) -> None:
        super().__init__()
        self.running, self.merging = nn.ModuleList(blocks[:-1]), blocks[-1]

    def forward(self, x: Tensor) -> Tensor:
        streams = (x, x)
        for block in self.running:
            streams = block(streams)
        return self.merging.merge(streams)


def merge_and_run(
    num_classes: int, in_channels: int, depth: int = 110, widen: int = 1
) -> nn.Module:
    """Return DFN-MR with (depth − 2) / 4 blocks, for pictures of any size.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: 4·blocks + 2 with at least three blocks; where three does not divide them, the later
            stages get more.
        widen: factor of the widths 16, 32, 64.

    Raises:
        SpecError: if a number is out of range.
    """
    count = (depth - 2) // 4
    if count < _STAGES or depth % 4 != 2 or widen < 1:
        got = f"depth={depth}, widen={widen}"
        raise SpecError("the depth must be 4·b + 2 with b ≥ 3, the factor positive", got=got)
    blocks, channels = list[MergeAndRun](), 16 * widen
    for stage in range(_STAGES):
        for index in range(_part(count, _STAGES, stage)):
            target, stride = 16 * widen * 2**stage, 2 if stage and not index else 1
            blocks.append(MergeAndRun(channels, target, stride=stride))
            channels = target
    stem = conv_norm_act(in_channels, 16 * widen)
    return classifier_chain(stem, [_Streams(blocks)], channels, num_classes)


def _part(total: int, parts: int, index: int) -> int:
    """Return the size of one of several parts as equal as can be, the larger ones last."""
    return (index + 1) * total // parts - index * total // parts


def _plain(length: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    widths = [in_channels] + [out_channels] * (length - 1)
    strides = [stride] + [1] * (length - 1)
    return nn.Sequential(
        *(conv_norm_act(c, out_channels, stride=s) for c, s in zip(widths, strides, strict=True))
    )


def _dfn(name: str, shallow: int, params: int, macs: int, paper: str) -> Network:
    build = partial(deeply_fused, lengths=(16, shallow))
    source = "deeply-fused nets (Wang et al. 2016), CIFAR"
    return Network(name, build, (3, 32, 32), 10, source, params, macs=macs, paper=paper, smallest=1)


def _mr(name: str, depth: int, widen: int, params: int, macs: int, paper: str) -> Network:
    build = partial(merge_and_run, depth=depth, widen=widen)
    source = "DFN-MR (Zhao et al. 2016), CIFAR"
    return Network(name, build, (3, 32, 32), 10, source, params, macs=macs, paper=paper, smallest=1)


DFN_50_14 = _dfn("dfn-50-14-cifar", 4, 3_697_578, 548_242_688, "3.7 M")
DFN_50_17 = _dfn("dfn-50-17-cifar", 5, 3_891_562, 576_554_240, "3.9 M")
MR1 = _mr("dfn-mr1-cifar", 110, 1, 1_710_426, 251_052_672, "1.7 M")
MR2 = _mr("dfn-mr2-cifar", 62, 4, 14_851_402, 2_199_587_328, "14.9 M")
MR3 = _mr("dfn-mr3-cifar", 98, 4, 24_151_882, 3_558_541_824, "24.8 M")
