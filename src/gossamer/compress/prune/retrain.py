"""Training on with zeros held: what most pruning passes end with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.prune.mask import HoldZeros
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe
from gossamer.train.step import AfterStep


def train_on(
    model: nn.Module, context: Context, training: Recipe, after_step: Sequence[AfterStep]
) -> None:
    """Train in place with the seed of the compression; nothing without data or epochs."""
    if context.data is not None and training.epochs:
        training = replace(training, seed=context.seed)
        fit(model, context.data, training, progress=context.progress, after_step=after_step)


def train_sparse(
    model: nn.Module,
    context: Context,
    training: Recipe,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Train in place and hold the zeros of the matched layers."""
    train_on(model, context, training, (HoldZeros(model, include, exclude),))
