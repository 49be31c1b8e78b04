"""Training weights that can take few values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.train.step import Step

_STATE = ("real", "alive", "shown")

Rounding = Callable[[Tensor], Tensor]
"""Real weights → the values that they stand for, of the same shape."""


class StraightThrough:
    """Keeps weights rounded while an optimiser moves the real weights behind them.

    The network computes with rounded weights; what the optimiser does to those is done to the real
    ones, which are then rounded anew. So the gradient of the rounded weight is that of the real one
    (Hinton 2012; Courbariaux et al., "BinaryConnect", 2015, algorithm 1), with any optimiser. An
    `after_step` of `fit`.

    What is zero when this is made stays zero, and what another `after_step` before this one sets to
    zero is forgotten.

    Args:
        layers: by name; rounded at once.
        roundings: by the same names.
        real: weights to begin with, by name; those of the layers unless given.

    Examples:
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 0.4)
        >>> optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
        >>> held = StraightThrough({"": layer}, {"": torch.round})
        >>> for step in range(2):
        ...     layer(torch.ones(1, 2)).sum().mul(-1).backward()
        ...     optimiser.step()
        ...     held(Step(layer, optimiser, step, 2))
        >>> layer.weight.tolist()
        [[1.0, 1.0]]
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Conv2d | nn.Linear],
        roundings: Mapping[str, Rounding],
        real: Mapping[str, Tensor] | None = None,
    ) -> None:
        real = real or {}
        self._held = [
            _Held.of(layer.weight, roundings[name], real.get(name, layer.weight))
            for name, layer in layers.items()
        ]

    def __call__(self, step: Step) -> None:
        """Move the real weights as the rounded ones were moved, and round again."""
        for held in self._held:
            held.follow()

    def state_dict(self) -> dict[str, Tensor]:
        """Return what to store in a checkpoint."""
        return {
            f"{number}.{key}": getattr(held, key)
            for number, held in enumerate(self._held)
            for key in _STATE
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what was stored."""
        for number, held in enumerate(self._held):
            for key in _STATE:
                setattr(held, key, state[f"{number}.{key}"])


@dataclass(eq=False)
class _Held:
    """One weight, the real numbers behind it, and which of them may be other than zero."""

    weight: Tensor
    rounding: Rounding
    real: Tensor
    alive: Tensor
    shown: Tensor

    @classmethod
    def of(cls, weight: Tensor, rounding: Rounding, real: Tensor) -> _Held:
        real = real.detach().clone()
        held = cls(weight, rounding, real, weight.detach() != 0, real)
        held.show()
        return held

    def follow(self) -> None:
        weight = self.weight.detach()
        shown = self.shown.to(weight.device)
        removed = (weight == 0) & (shown != 0)
        self.alive = self.alive.to(weight.device) & ~removed
        self.real = self.real.to(weight.device) + (weight - shown)
        self.show()

    def show(self) -> None:
        """Give the weight the values that its real numbers stand for."""
        self.real.masked_fill_(~self.alive, 0.0)
        self.shown = self.rounding(self.real).masked_fill_(~self.alive, 0.0)
        with torch.no_grad():
            self.weight.copy_(self.shown)
