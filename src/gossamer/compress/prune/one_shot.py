"""Pruning in one step, with every criterion, granularity, allocation and compensation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.outputs import fit_outputs
from gossamer.compress.prune.curvature.quadratic import Quadratic, refit
from gossamer.compress.prune.granularity import parse_granularity
from gossamer.compress.prune.mask import apply_masks
from gossamer.compress.prune.registry import CRITERIA, CURVATURES
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import (
    check_allocation,
    check_choice,
    check_criterion,
    check_granularity,
    check_scope,
    check_sparsity,
    sparsities,
)
from gossamer.compress.prune.selection import select
from gossamer.compress.prune.sensitivity import sensitivity_sparsities
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

COMPENSATIONS = ("none", "outputs", *CURVATURES)
_TRAINING = Recipe(epochs=0, learning_rate=0.01)


@dataclass(frozen=True)
class Prune:
    """Score all weights, remove the lowest, move the others if asked, and train on if asked.

    Compensation gives the survivors the values that minimise a quadratic under the mask: of each
    layer's output error with the inputs that it had ("inputs") or that it has now that the layers
    before it are pruned ("outputs"), or of the loss ("fisher"). ExactOBS is the criterion
    "exact-obs" with compensation "inputs"; WoodFisher is "wood-fisher" with "fisher".

    Args:
        sparsity: fraction of zeros over the matched layers together, 0 ≤ s < 1; of N:M, 1 − N/M.
        criterion: a name in `gossamer.compress.prune.registry.CRITERIA`.
        granularity: see `parse_granularity`.
        allocation: "global", "uniform", "erk", or "sensitivity" (measured, see `sensitivity`).
        compensate: "none", "inputs", "outputs" or "fisher".
        min_density: fraction of its weights that each layer keeps at least, 0…1 − sparsity.
        images: training pictures to look at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards, zeros held; not at all by default.
    """

    name: ClassVar[str] = "prune"

    sparsity: float = 0.5
    criterion: str = "magnitude"
    granularity: str = "element"
    allocation: str = "global"
    compensate: str = "none"
    min_density: float = 0.01
    images: int = 1024
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_sparsity(self.name, self.sparsity, self.min_density)
        check_granularity(self.name, self.granularity, self.sparsity)
        check_allocation(self.name, self.allocation, ("sensitivity",))
        check_choice(self.name, "compensation", self.compensate, COMPENSATIONS)
        check_criterion(self.name, self.criterion, context)
        measures = self.compensate != "none" or self.allocation == "sensitivity"
        if measures and context.data is None:
            raise PassError("measuring needs data", where=self.name, hint="pass data=…")
        if self.images < 1:
            raise PassError("images out of range", where=self.name, got=self.images)
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Prune in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        split = context.data.train if context.data is not None else None
        evidence = Evidence(model, split, self.images, seed=context.seed)
        granularity = parse_granularity(self.granularity)
        scores = CRITERIA[self.criterion]().scores(layers, evidence, granularity)
        self.remove(layers, scores, evidence)
        train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def remove(
        self,
        layers: Layers,
        scores: Mapping[str, Tensor],
        evidence: Evidence,
        quadratics: Iterable[tuple[str, Quadratic]] | None = None,
    ) -> None:
        """Choose the survivors and compensate, in place: `apply` without scoring and training.

        So several sparsities can share what does not depend on them.

        Args:
            layers: by name.
            scores: of the criterion, by the same names.
            evidence: of the network with these layers.
            quadratics: for a compensation "inputs" or "fisher", of the layers as they are;
                collected unless given.
        """
        masks = self._masks(layers, scores, evidence)
        if self.compensate == "outputs":
            fit_outputs(layers, masks, evidence)
        elif self.compensate != "none":
            found = (
                CURVATURES[self.compensate](layers, evidence) if quadratics is None else quadratics
            )
            compensate(layers, masks, found)
        apply_masks(layers, masks)

    def _masks(
        self, layers: Layers, scores: Mapping[str, Tensor], evidence: Evidence
    ) -> dict[str, Tensor]:
        granularity = parse_granularity(self.granularity)
        wanted: float | dict[str, float] = self.sparsity
        if self.allocation == "sensitivity":
            wanted = sensitivity_sparsities(layers, scores, evidence, granularity, self.sparsity)
        return select(layers, scores, granularity, wanted, self.allocation, self.min_density)

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


def compensate(
    layers: Layers, masks: Mapping[str, Tensor], quadratics: Iterable[tuple[str, Quadratic]]
) -> None:
    """Move the survivors of each layer to where its quadratic is smallest, in place.

    All quadratics are of the network as it is before.
    """
    with torch.no_grad():
        moved = {
            name: refit(quadratic, masks[name]).to(layers[name].weight)
            for name, quadratic in quadratics
        }
        for name, weight in moved.items():
            layers[name].weight.copy_(weight)
