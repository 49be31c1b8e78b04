"""Activations of which only the largest stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gossamer.compress.chains import replace_module
from gossamer.compress.contract import Context, check_data
from gossamer.compress.neurons.activations import function_of, match_activations
from gossamer.compress.neurons.measure import tell_activations
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.prune.scope import check_choice
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.nets.blocks.winners import COMPETITIONS, KWinners
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=5, learning_rate=0.02)


@dataclass(frozen=True)
class KeepWinners:
    """Keep the k largest activations of each pixel, map or image, set the others to zero; train on.

    Source: Makhzani & Frey 2013; Ahmad & Scheinkman 2019. The activation that was there stays
    before it, so that at most k are left; a truncated one loses its threshold.

    Args:
        density: k over the number of entries that compete, 0 < density ≤ 1.
        over: who competes: the "channels" of each pixel, the pixels of each channel's "map", or all
            entries of an "image".
        include: regular expressions of names of activation modules.
        exclude: regular expressions of activation modules to leave alone.
        training: how to train on, zeros of weights held.
    """

    name: ClassVar[str] = "k-winners"

    density: float = 0.3
    over: str = "channels"
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "competition", self.over, COMPETITIONS)
        if not 0 < self.density <= 1:
            raise PassError(
                "density out of range", where=self.name, got=self.density, expected="0 < d ≤ 1"
            )
        check_data(self.name, self.training, context)
        match_activations(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Replace activations in place, and train."""
        found = match_activations(model, self.include, self.exclude, where=self.name)
        for module in found.values():
            winners = KWinners(self.density, self.over, str(function_of(module)))
            replace_module(model, module, winners.train(module.training))
        train_on(model, context, self.training, (HoldZeros(model),))
        tell_activations(model, context)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return how many activations have winners."""
        return {"activations": sum(isinstance(m, KWinners) for m in model.modules())}
