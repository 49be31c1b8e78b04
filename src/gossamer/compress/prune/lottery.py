"""Iterative pruning with rewinding: the lottery ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log
from typing import ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.granularity import parse_granularity
from gossamer.compress.prune.mask import HoldZeros, apply_masks
from gossamer.compress.prune.registry import CRITERIA
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
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

STARTS = ("rewind", "reinitialise", "shuffle", "continue")

_TRAINING = Recipe(epochs=20, learning_rate=0.05)


@dataclass(frozen=True)
class LotteryTicket:
    """Train, remove a fraction of what is left, put the survivors back to early values, repeat.

    The network that comes in is θ₀: untrained, or trained as far as one likes to rewind. After the
    last round it is trained once more. Each round follows the whole training recipe from its
    first step; the source goes on from step k of its schedule instead.

    Source: Frankle & Carbin, "The Lottery Ticket Hypothesis", 2019; Frankle et al., "Linear Mode
    Connectivity and the Lottery Ticket Hypothesis", 2020, for rewinding to a later step.

    Args:
        sparsity: fraction of zeros in the end, 0 ≤ s < 1.
        fraction: of the remaining weights that each round removes, 0 < f < 1; the last one removes
            what is missing.
        rewind: fraction of the first training after which the weights are kept to go back to,
            0 ≤ r < 1; 0 is θ₀.
        start: of the survivors in each round: "rewind" to their early values; "continue" with the
            trained ones (Han et al. 2015); or a control: "reinitialise" at random, or "shuffle":
            rewind under a mask that is shuffled within each layer.
        allocation: "global", "uniform" or "erk".
        min_density: fraction of its weights that each layer keeps at least, 0…1 − sparsity.
        criterion: a name in `gossamer.compress.prune.registry.CRITERIA`.
        granularity: see `parse_granularity`; not N:M.
        images: training pictures that the criterion looks at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: of each round; without epochs there is one removal and no round.
    """

    name: ClassVar[str] = "lottery-ticket"

    sparsity: float = 0.8
    fraction: float = 0.2
    rewind: float = 0.0
    start: str = "rewind"
    allocation: str = "global"
    min_density: float = 0.01
    criterion: str = "magnitude"
    granularity: str = "element"
    images: int = 1024
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_sparsity(self.name, self.sparsity, self.min_density)
        if check_granularity(self.name, self.granularity, self.sparsity).keep:
            raise PassError("N:M has no rounds", where=self.name, got=self.granularity)
        check_allocation(self.name, self.allocation)
        check_criterion(self.name, self.criterion, context)
        check_choice(self.name, "start", self.start, STARTS)
        if not (0 < self.fraction < 1 and 0 <= self.rewind < 1 and self.images >= 1):
            got = (self.fraction, self.rewind, self.images)
            raise PassError("fraction, rewind or images out of range", where=self.name, got=got)
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Prune in place."""
        early = _Early(model, self.rewind)
        held = HoldZeros(model, self.include, self.exclude)
        train_on(model, context, self.training, (held, early))
        training = context.data is not None and self.training.epochs > 0
        for sparsity in rounds(self.sparsity, self.fraction) if training else [self.sparsity]:
            masks = self._masks(model, context, sparsity)
            if training:
                self._restart(model, early.state, context.seed)
            if self.start == "shuffle":
                masks = shuffled(masks, context.seed)
            apply_masks(match_layers(model, self.include, self.exclude, where=self.name), masks)
            train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def _masks(self, model: nn.Module, context: Context, sparsity: float) -> dict[str, Tensor]:
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        split = context.data.train if context.data is not None else None
        evidence = Evidence(model, split, self.images, seed=context.seed)
        granularity = parse_granularity(self.granularity)
        scores = CRITERIA[self.criterion]().scores(layers, evidence, granularity)
        return select(layers, scores, granularity, sparsity, self.allocation, self.min_density)

    def _restart(self, model: nn.Module, early: Mapping[str, Tensor], seed: int) -> None:
        if self.start in ("rewind", "shuffle"):
            model.load_state_dict(early)
        elif self.start == "reinitialise":
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                for module in model.modules():
                    if hasattr(module, "reset_parameters"):
                        module.reset_parameters()  # type: ignore[operator]

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


class _Early:
    """Keeps the state of a network after a fraction of a training."""

    def __init__(self, model: nn.Module, fraction: float) -> None:
        self.fraction = fraction
        self.state = _copy(model)

    def __call__(self, step: Step) -> None:
        if step.index + 1 == round(self.fraction * step.total):
            self.state = _copy(step.model)

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return what to store in a checkpoint."""
        return self.state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what was stored."""
        self.state = dict(state)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}


def rounds(sparsity: float, fraction: float) -> list[float]:
    """Return the sparsity after each round: 1 − (1 − fraction)^r, and the wanted one in the end.

    Examples:
        >>> [round(s, 3) for s in rounds(0.5, 0.2)]
        [0.2, 0.36, 0.488, 0.5]
    """
    if sparsity == 0:
        return [0.0]
    count = ceil(log(1 - sparsity) / log(1 - fraction) - 1e-9)
    return [*(1 - (1 - fraction) ** r for r in range(1, count)), sparsity]


def shuffled(masks: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Return masks of the same density a layer at random places."""
    generator = torch.Generator().manual_seed(seed)
    orders = {name: torch.randperm(m.numel(), generator=generator) for name, m in masks.items()}
    return {name: m.flatten()[orders[name]].view(m.shape) for name, m in masks.items()}
