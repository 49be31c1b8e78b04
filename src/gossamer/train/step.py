"""What an `after_step` callable is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn, optim


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
