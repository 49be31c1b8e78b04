"""Aggregated stages and the transitions between them: the trunk of DenseNet and SparseNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.aggregation import concat_stage
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.dense_unit import dense_transition, dense_unit
from gossamer.nets.connectivity.aggregation import Sources

BOTTLENECK = 4


def dense_stages(
    in_channels: int,
    growths: Sequence[Sequence[int]],
    sources: Sources,
    *,
    bottleneck: bool,
    compression: float,
    checkpoint: int = 0,
    conv: Callable[[int, int, int], nn.Module] = conv2d,
    names: tuple[str, str] = ("stage", "unit"),
) -> tuple[dict[str, nn.Module], int]:
    """Return stages, the transitions between them and a last norm by name, and their width.

    Every stage aggregates within itself; each transition passes on ⌊r·C⌋ of the C channels that
    its stage gives.

    Args:
        in_channels: C of the input.
        growths: for each stage the growth rates of its units.
        sources: which layers of a stage a layer reads.
        bottleneck: whether each unit first goes to four times its growth through a 1×1.
        compression: r, 0 < r ≤ 1.
        checkpoint: see `Aggregation`.
        conv: makes every convolution from (C, K, kernel).
        names: of a stage and of a unit, to which numbers are added.

    Raises:
        SpecError: if r is out of range, a stage is empty, or a growth is not positive.

    Examples:
        >>> from gossamer.nets.connectivity.aggregation import dense_sources
        >>> growths = [[4] * 2] * 2
        >>> parts, width = dense_stages(8, growths, dense_sources, bottleneck=False, compression=1)
        >>> list(parts), width
        (['stage1', 'transition1', 'stage2', 'norm3'], 24)
    """
    usable = in_channels > 0 and growths and all(stage and min(stage) > 0 for stage in growths)
    if not usable or not 0 < compression <= 1:
        got = f"{in_channels} channels, growths={growths}, compression={compression}"
        raise SpecError("not stages of positive growth, compressed by 0 < r ≤ 1", got=got)
    unit = partial(dense_unit, bottleneck=BOTTLENECK if bottleneck else 0, conv=conv)
    parts, width = dict[str, nn.Module](), in_channels
    for number, stage in enumerate(growths, 1):
        parts[f"{names[0]}{number}"], width = concat_stage(
            width, stage, sources, unit, name=names[1], checkpoint=checkpoint
        )
        if number < len(growths):
            narrow = int(width * compression)
            parts[f"transition{number}"] = dense_transition(width, narrow, conv=conv)
            width = narrow
    parts[f"norm{len(growths) + 1}"] = nn.BatchNorm2d(width)
    return parts, width


def cifar_growths(depth: int, growth: int | Sequence[int], bottleneck: bool) -> list[list[int]]:
    """Return three stages of (depth − 4) / 3 units, or of half as many with bottlenecks.

    Args:
        depth: L = 3·n + 4, with bottlenecks 6·n + 4.
        growth: one growth rate, or one a stage.
        bottleneck: whether each unit has two convolutions.

    Raises:
        SpecError: if the depth does not fit, or there are not one or three positive growth rates.

    Examples:
        >>> cifar_growths(16, (2, 3, 4), bottleneck=True)
        [[2, 2], [3, 3], [4, 4]]
    """
    each = 6 if bottleneck else 3
    rates = [growth] * 3 if isinstance(growth, int) else list(growth)
    if depth <= 4 or depth % each != 4 % each or len(rates) != 3 or min(rates) < 1:
        raise SpecError(
            f"the depth must be {each}·n + 4 with n ≥ 1, the growth one positive number or three",
            got=f"depth={depth}, growth={growth}",
        )
    return [[rate] * ((depth - 4) // each) for rate in rates]
