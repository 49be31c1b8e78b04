"""Gradual pruning with retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.granularity import parse_granularity
from gossamer.compress.prune.mask import apply_masks, nonzero_masks
from gossamer.compress.prune.registry import CRITERIA
from gossamer.compress.prune.schedule import cubic_sparsity
from gossamer.compress.prune.scope import (
    check_allocation,
    check_criterion,
    check_granularity,
    check_scope,
    check_sparsity,
    sparsities,
    sparsity_of,
)
from gossamer.compress.prune.selection import select
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

_TRAINING = Recipe(epochs=20, learning_rate=0.05)


@dataclass(frozen=True)
class GradualPrune:
    """Remove weights step by step while training on, then train the rest.

    Sparsity rises from what the layers have already to `sparsity` along a cubic curve during the
    first part of the training. Without epochs it is one shot.

    Source: Zhu & Gupta 2017. There a removed weight keeps the value that it had and comes back with
    it if, before the end of the ramp, it ranks among the survivors again: `regrow`. By default what
    was removed stays removed. What was zero before the pass stays zero in any case.

    Args:
        sparsity: fraction of zeros over the matched layers together, 0 ≤ s < 1.
        allocation: "global" (one ranking), "uniform" (the same in each layer) or "erk".
        min_density: fraction of its weights that each layer keeps at least, 0…1 − sparsity.
        ramp: fraction of the training during which sparsity rises, 0…1.
        every: optimiser steps between two removals, ≥ 1.
        criterion: a name in `gossamer.compress.prune.registry.CRITERIA`.
        granularity: see `parse_granularity`; N:M is reached at once and has no ramp.
        regrow: whether removed weights may come back until the end of the ramp.
        images: training pictures that the criterion looks at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to retrain.
    """

    name: ClassVar[str] = "gradual-prune"

    sparsity: float = 0.9
    allocation: str = "global"
    min_density: float = 0.01
    ramp: float = 0.6
    every: int = 10
    criterion: str = "magnitude"
    granularity: str = "element"
    regrow: bool = False
    images: int = 256
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_sparsity(self.name, self.sparsity, self.min_density)
        check_granularity(self.name, self.granularity, self.sparsity)
        check_allocation(self.name, self.allocation)
        check_criterion(self.name, self.criterion, context)
        if not 0 <= self.ramp <= 1 or self.every < 1 or self.images < 1:
            raise PassError(
                "ramp or interval or images out of range",
                where=self.name,
                got=(self.ramp, self.every, self.images),
            )
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Prune in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        split = context.data.train if context.data is not None else None
        pruner = _Pruner(self, layers, Evidence(model, split, self.images, seed=context.seed))
        if context.data is None or self.training.epochs == 0 or self.ramp == 0:
            pruner.shrink(self.sparsity)
        train_on(model, context, self.training, (pruner,))
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


class _Pruner:
    """The masks of one training; called after each of its steps."""

    def __init__(self, options: GradualPrune, layers: Layers, evidence: Evidence) -> None:
        self.options, self.layers, self.evidence = options, layers, evidence
        self.granularity = parse_granularity(options.granularity)
        self.criterion = CRITERIA[options.criterion]()
        self.initial = min(sparsity_of(layers), options.sparsity)
        self.masks = nonzero_masks(layers)
        self.removed: dict[str, Tensor] = {}

    def shrink(self, sparsity: float) -> None:
        """Choose the survivors for this sparsity and drop the others."""
        options = self.options
        if options.regrow:
            self._bring_back()
        scores = self.criterion.scores(self.layers, self.evidence, self.granularity)
        self.masks = select(
            self.layers, scores, self.granularity, sparsity, options.allocation, options.min_density
        )
        if options.regrow:
            self.removed = {
                name: layer.weight.detach() * ~self.masks[name]
                for name, layer in self.layers.items()
            }
        apply_masks(self.layers, self.masks)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what to store in a checkpoint."""
        masks = {f"mask.{name}": mask for name, mask in self.masks.items()}
        return masks | {f"removed.{name}": values for name, values in self.removed.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what was stored."""
        parts = {k: (*k.split(".", 1), v) for k, v in state.items()}.values()
        self.masks = {name: value for kind, name, value in parts if kind == "mask"}
        self.removed = {name: value for kind, name, value in parts if kind == "removed"}

    def _bring_back(self) -> None:
        """Give removed weights the values that they had; where they are masked they are zero."""
        with torch.no_grad():
            for name, values in self.removed.items():
                self.layers[name].weight.add_(values.to(self.layers[name].weight.device))

    def __call__(self, step: Step) -> None:
        done, ramp = step.index + 1, max(1, round(self.options.ramp * step.total))
        apply_masks(self.layers, self.masks, step.optimiser)
        if self.options.ramp > 0 and (
            done == ramp or (done < ramp and done % self.options.every == 0)
        ):
            self.shrink(cubic_sparsity(self.initial, self.options.sparsity, done / ramp))
            apply_masks(self.layers, self.masks, step.optimiser)
