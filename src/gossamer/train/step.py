"""What an `after_step` callable is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn, optim


@dataclass(frozen=True)
class Step:
    """One finished optimiser step.

    Args:
        model: the network, after the step.
        optimiser: with its state, after the step.
        index: steps done before this one, 0…total − 1.
        total: steps of the whole training.
    """

    model: nn.Module
    optimiser: optim.Optimizer
    index: int
    total: int


AfterStep = Callable[[Step], None]
"""What a training calls after each step; if it is `Stateful`, checkpoints hold its state."""


@runtime_checkable
class Stateful(Protocol):
    """What remembers something from step to step, apart from the network and the optimiser."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return what to store."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> object:
        """Take what was stored."""
        ...
