"""What is remembered of each epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of training.

    Args:
        epoch: counted from 1.
        loss: mean training loss over the epoch's steps.
        accuracy: on the test split after the epoch, 0…1.
    """

    epoch: int
    loss: float
    accuracy: float
