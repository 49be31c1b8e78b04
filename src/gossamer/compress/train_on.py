"""Training on inside a pass: with the compression's seed, keeping what earlier passes made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from gossamer.compress.contract import Context
from gossamer.compress.held import held_forms
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe
from gossamer.train.step import AfterStep


def train_on(
    model: nn.Module,
    context: Context,
    training: Recipe,
    after_step: Sequence[AfterStep],
    *,
    codes: Mapping[str, Tensor] | None = None,
    free: Sequence[str] = (),
) -> None:
    """Train in place with the seed of the compression; nothing without data or epochs.

    Weights that share few values go on sharing them, and weights on a grid stay on it; zeros are
    held by whoever asks for it in `after_step`.

    Args:
        model: changed in place.
        context: of the pass.
        training: how.
        after_step: called in order after every optimiser step.
        codes: of layers whose values are shared, by name, where the caller knows them.
        free: names of layers that `after_step` holds in their form.
    """
    if context.data is None or not training.epochs:
        return
    training = replace(training, seed=context.seed)
    with held_forms(model, codes or {}, frozenset(free)) as keepers:
        hooks = (*after_step, *keepers)
        fit(model, context.data, training, progress=context.progress, after_step=hooks)
