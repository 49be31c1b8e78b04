"""Channels in another order, in all tensors that hold them, and the same outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.blocks.movable import Layers, Movable, find_movable, places_of
from gossamer.compress.blocks.ordering import Ordering
from gossamer.compress.channels.blame import guilty
from gossamer.compress.channels.cut import Cut, apply_cut
from gossamer.compress.channels.units import Structure, find_structure
from gossamer.compress.channels.verify import check_cut
from gossamer.compress.channels.walk import follow
from gossamer.errors import VerificationError
from gossamer.graph.from_torch.program import frozen_copy

_ORDERED = "an operator runs along the order of its channels"
_UNLIKE = "its channels are not alike: in another order the network computes something else"

Move = tuple[np.ndarray, np.ndarray]
"""(units, those that come to their places)."""


@dataclass(frozen=True)
class Rearrangement:
    """What came of it.

    Args:
        moved: layers whose filters stand in another order.
        stays: layer → why some of its filters had to stay.
    """

    moved: tuple[str, ...]
    stays: Mapping[str, str]


def rearrange(
    model: nn.Module,
    example_inputs: Tensor,
    layers: Layers,
    height: int,
    ordering: Ordering,
    *,
    sparsity: float = 0.0,
    seed: int = 0,
) -> Rearrangement:
    """Put channels into another order, in place: outputs stay what they are.

    Channels that are added, concatenated or otherwise moved together move together, in all tensors
    that hold them, so that nothing is left to do at run time. The result is compared with the
    network as it was, in float64; what does not pass keeps its order.

    Args:
        model: changed.
        example_inputs: one batch (N, C, H, W) float32.
        layers: of the model, by name, whose blocks count.
        height: filters of a block, ≥ 2.
        ordering: from magnitudes to an order.
        sparsity: for orderings that ask.
        seed: likewise.

    Raises:
        UnsupportedOperatorError: if the network cannot be traced.

    Examples:
        >>> from gossamer.compress.blocks.registry import ORDERINGS
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1))
        >>> _ = net[0].weight.data.copy_(torch.tensor([1.0, 0, 2, 0]).view(4, 1, 1, 1))
        >>> made = rearrange(net, torch.zeros(1, 1, 2, 2), {"0": net[0]}, 2, ORDERINGS["jaccard"])
        >>> net[0].weight.flatten().tolist()
        [0.0, 0.0, 2.0, 1.0]
    """
    frozen = frozen_copy(model)
    example = example_inputs[:1].detach().cpu().float()
    flow = follow(frozen, example)
    flow.frozen.extend((labels, _ORDERED) for labels in flow.orders)
    structure = find_structure(flow)
    movable = find_movable(structure, layers, height)
    moves = [_move(part, ordering, sparsity, seed) for part in movable]
    wanted = [number for number, (old, new) in enumerate(moves) if not np.array_equal(old, new)]
    noise = torch.randn((2, *example.shape[1:]), generator=torch.Generator().manual_seed(0))

    def passes(some: Sequence[int]) -> bool:
        try:
            check_cut(frozen, move_units(structure, [moves[i] for i in some]), (example, noise))
        except VerificationError:
            return False
        return True

    blamed = guilty(wanted, passes)
    done = [number for number in wanted if number not in blamed]
    if blamed and not passes(done):
        done, blamed = [], wanted
    apply_cut(model, move_units(structure, [moves[i] for i in done]))
    moved = {name for number in done for name in movable[number].layers}
    unlike = {name: _UNLIKE for number in blamed for name in movable[number].layers}
    return Rearrangement(tuple(n for n in layers if n in moved), _stays(structure, layers) | unlike)


def move_units(structure: Structure, moves: Sequence[Move]) -> Cut:
    """Return the cut that takes nothing away and puts units at the places of others."""
    orders = {}
    for key, units in structure.unit_of.items():
        order = np.arange(len(units))
        for old, new in moves:
            places, sources = places_of(units, old), places_of(units, new)
            if places is not None and sources is not None:
                order[places] = sources
        if not np.array_equal(order, np.arange(len(units))):
            orders[key] = order
    return Cut(orders)


def _move(part: Movable, ordering: Ordering, sparsity: float, seed: int) -> Move:
    return part.units, part.units[ordering(part.magnitudes, part.sizes, sparsity, seed)]


def _stays(structure: Structure, layers: Layers) -> dict[str, str]:
    """Return layer → why some filters cannot move, of the network's last layers nothing."""
    reasons = {weight.rpartition(".")[0]: why for weight, why in structure.reasons.items()}
    return {name: why for name, why in reasons.items() if name in layers and why != "the output"}
