"""Optimisers, made from a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn, optim

if TYPE_CHECKING:
    from gossamer.train.recipe import Recipe


def sgd(parameters: Iterable[nn.Parameter], recipe: Recipe) -> optim.Optimizer:
    """Return stochastic gradient descent with Nesterov's momentum."""
    return optim.SGD(
        parameters,
        recipe.learning_rate,
        recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )


def adamw(parameters: Iterable[nn.Parameter], recipe: Recipe) -> optim.Optimizer:
    """Return Adam with decoupled weight decay; the second beta is 0.999."""
    betas = (min(recipe.momentum, 0.999), 0.999)
    return optim.AdamW(parameters, recipe.learning_rate, betas, weight_decay=recipe.weight_decay)
