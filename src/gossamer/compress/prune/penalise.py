"""Training under a penalty that drives weights to exactly zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Layers
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.prune.penalty import PENALTIES, Shrink
from gossamer.compress.prune.scope import check_choice, check_scope, sparsities
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

_TRAINING = Recipe(epochs=10, learning_rate=0.05)


@dataclass(frozen=True)
class Penalise:
    """Train with a penalty on the weights; the sparsity is what comes of it.

    What is zero before stays zero; what becomes zero on the way may come back.

    Args:
        penalty: a name in `gossamer.compress.prune.penalty.PENALTIES`.
        strength: λ ≥ 0; each step shrinks by the learning rate times λ.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train; without epochs nothing happens.
    """

    name: ClassVar[str] = "penalise"

    penalty: str = "l1"
    strength: float = 1e-3
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "penalty", self.penalty, tuple(PENALTIES))
        if not 0 <= self.strength < 1e6:
            raise PassError("strength out of range", where=self.name, got=self.strength)
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Train in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        held = HoldZeros(model, self.include, self.exclude)
        shrinker = _Shrinker(layers, PENALTIES[self.penalty], self.strength)
        train_on(model, context, self.training, (shrinker, held))
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


class _Shrinker:
    """Shrinks the weights after each step of a training."""

    def __init__(self, layers: Layers, shrink: Shrink, strength: float) -> None:
        self.layers, self.shrink, self.strength = layers, shrink, strength

    def __call__(self, step: Step) -> None:
        t = step.optimiser.param_groups[0]["lr"] * self.strength
        with torch.no_grad():
            for layer in self.layers.values():
                layer.weight.copy_(self.shrink(layer.weight, t))
