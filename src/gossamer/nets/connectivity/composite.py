"""Composite kernels: which input channel reaches which output channel, and by how many paths.

A chain of group convolutions and permutations computes one linear map, the *composite kernel*. Its
structure is the product of 0/1 matrices: a group convolution is block-diagonal with ones, a
permutation is a permutation matrix. An entry of the product is the number of paths between the two
channels; where it is zero, so is the composite kernel, whatever the weights.

Sources: Zhang et al., "Interleaved Group Convolutions", 2017, section 3 (complementary
condition); Sun et al., "IGCV3", 2018, section 3 (super-channels, loose complementary condition).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain as concatenate

import numpy as np
from torch import nn

from gossamer.errors import ShapeError, SpecError
from gossamer.nets.blocks.shuffle import ChannelShuffle


@dataclass(frozen=True)
class GroupConv:
    """A convolution from C to K channels in G groups; its kernel size does not matter here.

    Args:
        in_channels: C, a multiple of G.
        out_channels: K, a multiple of G.
        groups: G ≥ 1.

    Raises:
        SpecError: if the groups do not divide both widths.

    Examples:
        >>> GroupConv(6, 6, 2).out_channels
        6
    """

    in_channels: int
    out_channels: int
    groups: int = 1

    def __post_init__(self) -> None:
        if self.groups < 1 or self.in_channels % self.groups or self.out_channels % self.groups:
            raise SpecError("the groups must divide both widths", got=self)


@dataclass(frozen=True)
class Permutation:
    """Output channel k is input channel order[k].

    Args:
        order: each of 0 … C − 1 once.

    Raises:
        SpecError: if it is not a permutation.

    Examples:
        >>> Permutation((2, 0, 1)).in_channels
        3
    """

    order: tuple[int, ...]

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise SpecError("not a permutation", got=self.order)

    @property
    def in_channels(self) -> int:
        """Return C."""
        return len(self.order)


Link = GroupConv | Permutation


def shuffle(groups: int, channels: int) -> Permutation:
    """Return the permutation of `ChannelShuffle(groups)` on C channels.

    Raises:
        SpecError: if the groups do not divide the channels.

    Examples:
        >>> shuffle(2, 6).order
        (0, 3, 1, 4, 2, 5)
    """
    if groups < 1 or channels % groups:
        raise SpecError("the groups must divide the channels", got=f"{groups} of {channels}")
    grid = np.arange(channels).reshape(groups, channels // groups)
    return Permutation(tuple(grid.T.flatten().tolist()))


def links_of(module: nn.Module) -> list[Link]:
    """Read the links of a (nested) `nn.Sequential` of convolutions and shuffles.

    Norms and activations work on each channel alone and are passed over.

    Raises:
        SpecError: if there is a module that is not a chain, or mixes channels in another way.

    Examples:
        >>> links_of(nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.BatchNorm2d(8), nn.ReLU()))
        [GroupConv(in_channels=4, out_channels=8, groups=2)]
    """
    links: list[Link] = []
    for layer in _leaves(module):
        if isinstance(layer, nn.Conv2d):
            links.append(GroupConv(layer.in_channels, layer.out_channels, layer.groups))
        elif isinstance(layer, ChannelShuffle):
            links.append(shuffle(layer.groups, _width(links, layer)))
        elif not isinstance(layer, nn.BatchNorm2d | nn.ReLU | nn.ReLU6 | nn.Identity):
            raise SpecError("not a chain of convolutions and shuffles", where=type(layer).__name__)
    return links


def path_counts(chain: Sequence[Link]) -> np.ndarray:
    """Return the matrix of path counts (K, C) of a chain, int64.

    Args:
        chain: in the order in which data flows; at least one link.

    Returns:
        Entry [k, c] is the number of paths from input channel c to output channel k.

    Raises:
        ShapeError: if the widths of two neighbours differ.
        SpecError: if the chain is empty.

    Examples:
        >>> path_counts([GroupConv(4, 4, 2), shuffle(2, 4), GroupConv(4, 4, 2)]).tolist()
        [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
        >>> path_counts([GroupConv(4, 4, 2), GroupConv(4, 4, 2)]).tolist()
        [[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]]
    """
    if not chain:
        raise SpecError("a chain needs at least one link")
    counts = np.eye(chain[0].in_channels, dtype=np.int64)
    for index, link in enumerate(chain):
        if link.in_channels != len(counts):
            raise ShapeError(
                "widths differ", where=f"link {index}", got=len(counts), expected=link.in_channels
            )
        counts = _apply(link, counts)
    return counts


def is_complementary(chain: Sequence[Link], *, strict: bool = True) -> bool:
    """Return whether the chain fulfils the complementary condition.

    Strict: exactly one path between each input and each output channel, so that the composite
    kernel is dense and no factor of it is wasted. Loose: the same number of paths, one or more,
    between each pair; for two group convolutions this is the condition that IGCV3 states over
    super-channels (each branch of the first shares one super-channel, of one size, with each
    branch of the second; see `super_channels`).

    Examples:
        >>> wide = [GroupConv(4, 24, 2), shuffle(2, 24), GroupConv(24, 4, 2)]
        >>> is_complementary(wide), is_complementary(wide, strict=False)
        (False, True)
    """
    counts = path_counts(chain)
    wanted = 1 if strict else max(1, int(counts.flat[0]))
    return bool((counts == wanted).all())


def composite_sparsity(chain: Sequence[Link]) -> float:
    """Return the fraction of the composite kernel that is zero for want of a path.

    Examples:
        >>> composite_sparsity([GroupConv(4, 4, 2), GroupConv(4, 4, 2)])
        0.5
    """
    return float((path_counts(chain) == 0).mean())


def super_channels(first: GroupConv, order: Permutation, second: GroupConv) -> np.ndarray:
    """Return the sizes (G1, G2) of the super-channels between two group convolutions, int64.

    A super-channel holds the channels that branch g1 of the first convolution makes and branch g2
    of the second reads. Each input of g1 reaches each output of g2 by as many paths.

    Raises:
        ShapeError: if the widths differ.

    Examples:
        >>> super_channels(GroupConv(4, 24, 2), shuffle(2, 24), GroupConv(24, 4, 2)).tolist()
        [[6, 6], [6, 6]]
    """
    width = order.in_channels
    if not first.out_channels == width == second.in_channels:
        raise ShapeError("widths differ", got=(first.out_channels, width, second.in_channels))
    made_by = np.array(order.order) // (width // first.groups)
    read_by = np.arange(width) // (width // second.groups)
    sizes = np.zeros((first.groups, second.groups), dtype=np.int64)
    np.add.at(sizes, (made_by, read_by), 1)
    return sizes


def _apply(link: Link, counts: np.ndarray) -> np.ndarray:
    if isinstance(link, Permutation):
        return counts[list(link.order)]
    # A branch's outputs all see the sum of its inputs: no need for the block-diagonal matrix.
    branches = counts.reshape(link.groups, -1, counts.shape[1]).sum(axis=1)
    return branches.repeat(link.out_channels // link.groups, axis=0)


def _leaves(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential):
        return list(concatenate.from_iterable(_leaves(child) for child in module))
    return [module]


def _width(links: Sequence[Link], layer: ChannelShuffle) -> int:
    if not links:
        raise SpecError("a shuffle cannot come first: its width is not known", where=layer)
    last = links[-1]
    return last.out_channels if isinstance(last, GroupConv) else last.in_channels
