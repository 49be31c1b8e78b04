"""Training under a penalty on activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.neurons.activations import match_activations
from gossamer.compress.neurons.measure import tell_activations
from gossamer.compress.neurons.penalty import PENALTIES, Penalty
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.prune.scope import check_choice
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=10, learning_rate=0.02)


@dataclass(frozen=True)
class PenaliseActivations:
    """Train with a penalty on what activations give, so that more of them are zero; weights too.

    Weights that are zero before stay zero. A ReLU turns small activations into exact zeros; behind
    others, follow with `truncate-activations`.

    Args:
        penalty: a name in `gossamer.compress.neurons.penalty.PENALTIES`.
        strength: λ ≥ 0, times the mean over neurons and then the sum over activations.
        width: σ > 0; activations are divided by it before the penalty.
        include: regular expressions of names of activation modules.
        exclude: regular expressions of activation modules to leave alone.
        training: how to train; without epochs nothing happens.
    """

    name: ClassVar[str] = "penalise-activations"

    penalty: str = "log"
    strength: float = 0.01
    width: float = 1.0
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "penalty", self.penalty, tuple(PENALTIES))
        if not 0 <= self.strength < 1e6 or not 0 < self.width < 1e6:
            got = (self.strength, self.width)
            raise PassError("strength or width out of range", where=self.name, got=got)
        check_data(self.name, self.training, context)
        match_activations(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Train in place."""
        found = match_activations(model, self.include, self.exclude, where=self.name)
        charge = _Charge(PENALTIES[self.penalty], self.strength, self.width)
        hooks = [module.register_forward_hook(charge.note) for module in found.values()]
        try:
            train_on(model, context, self.training, (HoldZeros(model),), (charge,))
        finally:
            for hook in hooks:
                hook.remove()
        tell_activations(model, context)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return nothing: zeros are seen on data only, `apply` tells them."""
        return {}


class _Charge:
    """Adds up the penalties of one forward pass."""

    def __init__(self, penalty: Penalty, strength: float, width: float) -> None:
        self.penalty, self.strength, self.width = penalty, strength, width
        self.terms: list[Tensor] = []

    def note(self, module: nn.Module, args: Any, out: Tensor) -> None:
        if module.training:
            # A copy, for what follows may write over the activations; and sums need float32.
            self.terms.append(self.penalty(out.clone().float() / self.width))

    def __call__(self) -> Tensor:
        total = sum(self.terms, start=torch.zeros(()))
        self.terms.clear()
        return self.strength * total
