"""Training on with zeros held: what most pruning passes end with."""

from __future__ import annotations

from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.train_on import train_on
from gossamer.train.recipe import Recipe


def train_sparse(
    model: nn.Module,
    context: Context,
    training: Recipe,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Train in place and hold the zeros of the matched layers."""
    train_on(model, context, training, (HoldZeros(model, include, exclude),))
