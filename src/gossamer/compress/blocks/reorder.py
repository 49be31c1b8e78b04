"""The pass that brings channels into an order in which nonzeros stand in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import nn

from gossamer.compress.blocks.assignment import kept_magnitude
from gossamer.compress.blocks.bins import bin_sizes
from gossamer.compress.blocks.movable import Layers
from gossamer.compress.blocks.occupancy import Occupancy, occupancy
from gossamer.compress.blocks.rearrange import rearrange
from gossamer.compress.blocks.registry import ORDERINGS
from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.granularity import Granularity, parse_granularity
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import check_choice, check_scope, check_sparsity
from gossamer.compress.prune.selection import groups_of
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=0, learning_rate=0.01)


@dataclass(frozen=True)
class Reorder:
    """Order the filters of each layer so that zeros leave whole blocks free; outputs stay the same.

    A block is some neighbouring filters times one weight of each: that is what a kernel reads one
    input for. The channels that filters make move with them, in all layers that read, add, or
    normalise them, so that the order costs nothing at run time. Channels whose order is fixed by an
    operator, and those of the network's output, stay; the ledger names the former.

    "jaccard" and "co-cluster" gather zeros that are there; "swaps" prepares for `prune` with the
    same granularity. The ledger says how dense the touched blocks are, how much magnitude block
    pruning would keep, and, if there is a clock, the network's time, each before and after.

    Source: Szegedy et al., "Going deeper with convolutions", 2015, section 3: the literature
    "suggests that clustering sparse matrices into relatively dense submatrices tends to give state
    of the art practical performance"; for the orders see `gossamer.compress.blocks.orderings`.

    Args:
        ordering: a name in `gossamer.compress.blocks.registry.ORDERINGS`.
        block: "2x1", "4x1", "8x1", …: filters of a block.
        sparsity: fraction of blocks that "swaps" prepares for, 0 ≤ s < 1.
        include: regular expressions of the layers whose blocks count.
        exclude: regular expressions of layers whose blocks do not count; their channels may move.
        training: how to train on afterwards, zeros held; not at all by default.
    """

    name: ClassVar[str] = "reorder"

    ordering: str = "jaccard"
    block: str = "4x1"
    sparsity: float = 0.75
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "ordering", self.ordering, tuple(ORDERINGS))
        check_sparsity(self.name, self.sparsity)
        block = parse_granularity(self.block, where=self.name)
        if block.keep or block.columns != 1 or not 2 <= block.rows <= 64:
            raise PassError(
                "blocks are filters times one weight of each",
                where=self.name,
                got=self.block,
                expected="2x1 … 64x1",
            )
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Reorder in place."""
        layers = self._layers(model)
        before = self._figures(model, layers, context)
        made = rearrange(
            model,
            context.example_inputs,
            layers,
            self._block.rows,
            ORDERINGS[self.ordering],
            sparsity=self.sparsity,
            seed=context.seed,
        )
        for figure, value in self._figures(model, layers, context).items():
            context.tell(f"{figure}_before", before[figure])
            context.tell(f"{figure}_after", value)
        context.tell("layers_reordered", len(made.moved))
        for layer, reason in made.stays.items():
            context.tell(layer, f"filters stay: {reason}")
        train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return how dense the blocks are that are not empty, over the matched layers together."""
        return {"block_density": block_density(self._layers(model), self._block)}

    @property
    def _block(self) -> Granularity:
        return parse_granularity(self.block, where=self.name)

    def _layers(self, model: nn.Module) -> Layers:
        return match_layers(model, self.include, self.exclude, where=self.name)

    def _figures(self, model: nn.Module, layers: Layers, context: Context) -> dict[str, float]:
        """Return what a new order is to change."""
        figures = {"block_density": block_density(layers, self._block)}
        if self.ordering == "swaps":
            kept = block_magnitude(layers, self._block.rows, self.sparsity)
            figures["kept_magnitude"] = kept
        if context.time_ms is not None:
            figures["time_ms"] = context.time_ms(model, context.example_inputs[:1])
        return figures


def block_density(layers: Layers, block: Granularity) -> float:
    """Return nonzeros over entries of the blocks that they touch, of some layers together, 0…1.

    Examples:
        >>> layer = nn.Linear(2, 4)
        >>> _ = nn.init.zeros_(layer.weight[:3].detach())
        >>> block_density({"layer": layer}, parse_granularity("4x1"))
        0.25
    """
    counts = [occupancy(layer.weight, block, groups_of(layer)) for layer in layers.values()]
    return sum(counts, Occupancy()).block_density


def block_magnitude(layers: Layers, height: int, sparsity: float) -> float:
    """Return the share of |w| that is left of each layer when its least blocks are pruned, 0…1.

    Args:
        layers: by name; those whose filters all read other channels are left out.
        height: filters of a block.
        sparsity: fraction of the blocks of each layer that are pruned.
    """
    kept = total = 0.0
    for layer in layers.values():
        groups = groups_of(layer)
        weight = layer.weight.detach().cpu().flatten(1).abs().double().numpy()
        if (filters := len(weight) // groups) > 1:
            sizes = np.tile(bin_sizes(filters, height), groups)
            kept += kept_magnitude(weight, sizes, sparsity) * weight.sum()
            total += weight.sum()
    return float(kept / total) if total else 1.0
