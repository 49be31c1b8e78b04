"""The pass that combines sparse columns and prunes what meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.blocks.combine import combine_columns, keep_largest
from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.mask import apply_masks
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import check_scope, sparsities
from gossamer.compress.prune.selection import groups_of
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=0, learning_rate=0.01)


@dataclass(frozen=True)
class CombineColumns:
    """Combine columns whose nonzeros hardly meet; of those that do, keep the largest.

    Afterwards each filter has at most one nonzero in each group of columns: all filters of a layer
    are about as long, and a group can be stored as one dense column with an index beside each
    entry. Meant for weights that are sparse already; the source prunes, combines and trains on in
    turn, ten times.

    Source: Kung, McDanel & Zhang 2019, see `gossamer.compress.blocks.combine`. Columns are single
    weights of a kernel here, as in their shift convolutions, whose kernels have one.

    Args:
        most: columns of a group, ≥ 1 (α).
        conflicts: of a group at most, on average over its filters, ≥ 0 (γ).
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards, zeros held; not at all by default.
    """

    name: ClassVar[str] = "combine-columns"

    most: int = 8
    conflicts: float = 1.75
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        if self.most < 1:
            raise PassError("most out of range", where=self.name, got=self.most, expected="≥ 1")
        if not 0 <= self.conflicts < float("inf"):
            raise PassError(
                "conflicts out of range", where=self.name, got=self.conflicts, expected="≥ 0"
            )
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Combine and prune in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        masks, columns, entries, nonzeros = {}, 0, 0, 0
        for name, layer in layers.items():
            masks[name], groups, filters = self._combined(layer)
            columns += groups
            entries += groups * filters
            nonzeros += int(masks[name].sum())
        apply_masks(layers, masks)
        context.tell("combined_columns", columns)
        context.tell("utilisation", nonzeros / entries if entries else 1.0)
        train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))

    def _combined(self, layer: nn.Conv2d | nn.Linear) -> tuple[Tensor, int, int]:
        """Return the mask of a layer, its combined columns, and the filters that have them."""
        weight = layer.weight.detach().cpu().flatten(1).abs().numpy()
        parts, columns = np.split(weight, groups_of(layer)), 0
        masks = []
        for part in parts:
            groups = combine_columns(part > 0, most=self.most, conflicts=self.conflicts)
            columns += int(groups.max(initial=-1)) + 1
            masks.append(keep_largest(part, groups))
        mask = torch.from_numpy(np.concatenate(masks)).view(layer.weight.shape)
        return mask, columns, len(parts[0])
