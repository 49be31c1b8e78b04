"""Gradual magnitude pruning with retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.allocation import ALLOCATIONS, keep_best
from gossamer.compress.prune.magnitude import magnitude
from gossamer.compress.prune.mask import apply_masks
from gossamer.compress.prune.schedule import cubic_sparsity
from gossamer.errors import PassError
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

_TRAINING = Recipe(epochs=20, learning_rate=0.05)


@dataclass(frozen=True)
class GradualPrune:
    """Remove small weights step by step while training on, then train the rest.

    Sparsity rises from what the layers have already to `sparsity` along a cubic curve during the
    first part of the training; what was removed stays removed. Without epochs it is one shot.

    Source: Zhu & Gupta 2017. They let removed weights grow back until the end of the ramp; here a
    removed weight stays at zero.

    Args:
        sparsity: fraction of zeros over the matched layers together, 0 ≤ s < 1.
        allocation: "global" (one ranking) or "uniform" (the same in each layer).
        min_density: fraction of its weights that each layer keeps at least, 0…1.
        ramp: fraction of the training during which sparsity rises, 0…1.
        every: optimiser steps between two removals, ≥ 1.
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
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        if not 0 <= self.sparsity < 1:
            raise PassError(
                "sparsity out of range", where=self.name, got=self.sparsity, expected="0 ≤ s < 1"
            )
        if not 0 <= self.min_density <= 1 - self.sparsity:
            raise PassError(
                "the layers' minimum density leaves too little to remove",
                where=self.name,
                got=self.min_density,
                expected=f"0…{1 - self.sparsity:g}",
            )
        if self.allocation not in ALLOCATIONS:
            raise PassError(
                "unknown allocation", where=self.name, got=self.allocation, expected=ALLOCATIONS
            )
        if not 0 <= self.ramp <= 1 or self.every < 1:
            raise PassError(
                "ramp or interval out of range", where=self.name, got=(self.ramp, self.every)
            )
        check_data(self.name, self.training, context)
        match_layers(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Prune in place."""
        pruner = _Pruner(self, match_layers(model, self.include, self.exclude, where=self.name))
        if context.data is None or self.training.epochs == 0 or self.ramp == 0:
            pruner.shrink(self.sparsity)
        if context.data is not None:
            training = replace(self.training, seed=context.seed)
            fit(model, context.data, training, progress=context.progress, after_step=(pruner,))
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        return {"sparsity": _sparsity(layers)}


class _Pruner:
    """The masks of one training; called after each of its steps."""

    def __init__(self, options: GradualPrune, layers: dict[str, nn.Conv2d | nn.Linear]) -> None:
        self.options, self.layers = options, layers
        self.initial = min(_sparsity(layers), options.sparsity)
        self.masks: dict[str, Tensor] = {n: layer.weight != 0 for n, layer in layers.items()}

    def shrink(self, sparsity: float) -> None:
        """Choose the survivors for this sparsity and drop the others."""
        scores = {name: magnitude(layer.weight) for name, layer in self.layers.items()}
        self.masks = keep_best(scores, sparsity, self.options.allocation, self.options.min_density)
        apply_masks(self.layers, self.masks)

    def __call__(self, step: Step) -> None:
        done, ramp = step.index + 1, max(1, round(self.options.ramp * step.total))
        if self.options.ramp > 0 and (
            done == ramp or (done < ramp and done % self.options.every == 0)
        ):
            self.shrink(cubic_sparsity(self.initial, self.options.sparsity, done / ramp))
        apply_masks(self.layers, self.masks, step.optimiser)


def _sparsity(layers: Mapping[str, nn.Conv2d | nn.Linear]) -> float:
    """Return the fraction of zeros over the layers together."""
    size = sum(layer.weight.numel() for layer in layers.values())
    return 1 - sum(int(layer.weight.count_nonzero()) for layer in layers.values()) / size
