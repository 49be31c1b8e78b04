"""Sparse from the first step on: connections are dropped and grown while training (SET, RigL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import ClassVar

import torch
from torch import Tensor, nn, optim

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.allocation import best
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.granularity import Granularity
from gossamer.compress.prune.mask import apply_masks, nonzero_masks
from gossamer.compress.prune.registry import CRITERIA
from gossamer.compress.prune.scope import (
    check_allocation,
    check_choice,
    check_criterion,
    check_scope,
    check_sparsity,
    sparsities,
)
from gossamer.compress.prune.selection import select
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

GROWTHS = ("gradient", "random")
_GENERATOR = ".generator"  # no layer has this name

_TRAINING = Recipe(epochs=20, learning_rate=0.05)


@dataclass(frozen=True)
class DynamicSparse:
    """Train a sparse network whose connections move: the smallest go, others come at zero.

    Every some steps each layer drops a fraction ζ of its connections, the smallest ones, and grows
    as many: where the gradient is largest (RigL) or at random (SET). What was just dropped may come
    back, with its value. ζ falls along half a cosine and is zero from `stop` on.

    Sources: Mocanu et al. 2018 (SET); Evci et al., "Rigging the Lottery", 2020 (RigL). In RigL a
    step that changes the mask does not change weights; here it does both, the mask after the
    weights, with the gradients of that step.

    Args:
        sparsity: fraction of zeros over the matched layers together, 0 ≤ s < 1.
        growth: "gradient" or "random".
        allocation: "erk", "uniform" or "global", of the first mask; layers keep their densities.
        start: the criterion of the first mask; "random" as in the sources.
        min_density: fraction of its weights that each layer keeps at least, 0…1 − sparsity.
        drop: ζ at the beginning, 0…1.
        every: optimiser steps between two changes, ≥ 1.
        stop: fraction of the training after which the mask is fixed, 0…1.
        images: training pictures that the criterion looks at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train; without epochs only the first mask is made.
    """

    name: ClassVar[str] = "dynamic-sparse"

    sparsity: float = 0.9
    growth: str = "gradient"
    allocation: str = "erk"
    start: str = "random"
    min_density: float = 0.0
    drop: float = 0.3
    every: int = 100
    stop: float = 0.75
    images: int = 1024
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_sparsity(self.name, self.sparsity, self.min_density)
        check_allocation(self.name, self.allocation)
        check_choice(self.name, "growth", self.growth, GROWTHS)
        check_criterion(self.name, self.start, context)
        fractions = 0 <= self.drop <= 1 and 0 <= self.stop <= 1
        if not fractions or self.every < 1 or self.images < 1:
            got = (self.drop, self.every, self.stop, self.images)
            raise PassError("drop, every, stop or images out of range", where=self.name, got=got)
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Train in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        split = context.data.train if context.data is not None else None
        evidence = Evidence(model, split, self.images, seed=context.seed)
        allowed = nonzero_masks(layers)
        scores = CRITERIA[self.start]().scores(layers, evidence, Granularity())
        masks = select(
            layers, scores, Granularity(), self.sparsity, self.allocation, self.min_density
        )
        apply_masks(layers, masks)
        mover = _Mover(self, layers, masks, allowed, context.seed)
        train_on(
            model, context, self.training, (mover,), free=tuple(layers)
        )  # new weights move freely
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


class _Mover:
    """The masks of one training; called after each of its steps."""

    def __init__(
        self,
        options: DynamicSparse,
        layers: Layers,
        masks: dict[str, Tensor],
        allowed: dict[str, Tensor],
        seed: int,
    ) -> None:
        self.options, self.layers, self.masks, self.allowed = options, layers, masks, allowed
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, step: Step) -> None:
        apply_masks(self.layers, self.masks, step.optimiser)
        done, stop = step.index + 1, self.options.stop * step.total
        if done % self.options.every == 0 and done < stop:
            fraction = drop_fraction(self.options.drop, done / stop)
            for name, layer in self.layers.items():
                self._move(name, layer.weight, fraction, step.optimiser)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what to store in a checkpoint."""
        return {**self.masks, _GENERATOR: self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what was stored."""
        self.masks = {name: value for name, value in state.items() if name != _GENERATOR}
        self.generator.set_state(state[_GENERATOR])

    def _move(self, name: str, weight: Tensor, fraction: float, optimiser: optim.Optimizer) -> None:
        mask, allowed = (m[name].to(weight.device) for m in (self.masks, self.allowed))
        moved = moved_mask(mask, weight, self._promise(weight), fraction, allowed)
        self.masks[name] = moved
        # The new ones start from zero and without a past, as masked weights are.
        apply_masks({name: self.layers[name]}, {name: moved & mask}, optimiser)

    def _promise(self, weight: Tensor) -> Tensor:
        if self.options.growth == "random":
            return torch.rand(weight.shape, generator=self.generator).to(weight.device)
        assert weight.grad is not None
        return weight.grad.abs()


def drop_fraction(start: float, done: float) -> float:
    """Return ζ = (α/2)·(1 + cos(π·t/T)).

    Examples:
        >>> [round(drop_fraction(0.3, t), 3) for t in (0, 0.5, 1)]
        [0.3, 0.15, 0.0]
    """
    return start / 2 * (1 + cos(pi * done))


def moved_mask(
    mask: Tensor, weight: Tensor, promise: Tensor, fraction: float, allowed: Tensor
) -> Tensor:
    """Return a mask with as many entries: the largest weights kept, the most promising others new.

    Args:
        mask: bool.
        weight: of its shape; the smallest ⌊fraction · entries⌋ under the mask are dropped.
        promise: of its shape; the highest ones not kept are grown.
        fraction: 0…1.
        allowed: where growth is allowed.

    Examples:
        >>> mask = torch.tensor([True, True, False, False])
        >>> moved_mask(mask, torch.tensor([2.0, 1, 0, 0]), torch.tensor([0.0, 0, 1, 2]), 0.5, ~mask)
        tensor([ True, False, False,  True])
    """
    count = int(mask.sum())
    moving = int(fraction * count)
    if moving == 0:
        return mask
    sizes = weight.detach().abs().masked_fill(~mask, -1.0)
    kept = best(sizes, count - moving) & mask if moving < count else torch.zeros_like(mask)
    places = (allowed | mask) & ~kept
    return kept | (best(promise.masked_fill(~places, -1.0), moving) & places)
