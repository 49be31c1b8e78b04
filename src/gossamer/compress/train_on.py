"""Training on inside a pass: with the compression's seed, keeping what earlier passes made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    after_step: Sequence[AfterStep] = (),
    penalties: Sequence[Callable[[], Tensor]] = (),
    *,
    codes: Mapping[str, Tensor] | None = None,
    free: Sequence[str] = (),
) -> None:
    """Train in place with the seed of the compression; nothing without data or epochs.

    Weights that share few values go on sharing them, and weights on a grid stay on it; zeros are
    held by whoever asks for it in `after_step`.

    Where the compression keeps checkpoints, so does this, and goes on from the last one: a pass
    that was interrupted is applied anew from its beginning, and what it has trained already is
    read instead. So what a pass does before and between trainings must follow from the network and
    the seed, and what `after_step` remembers must be `gossamer.train.step.Stateful`.

    Args:
        model: changed in place.
        context: of the pass; its `parent` is the teacher of recipes that distil.
        training: how; its seed is replaced.
        after_step: called in order after every optimiser step.
        penalties: see `gossamer.fit`.
        codes: of layers whose values are shared, by name, where the caller knows them.
        free: names of layers that `after_step` holds in their form.
    """
    if context.data is None or not training.epochs:
        return
    training = replace(training, seed=context.seed)
    checkpoint = next(context.checkpoints) if context.checkpoints is not None else None
    with held_forms(model, codes or {}, frozenset(free)) as keepers:
        fit(
            model,
            context.data,
            training,
            checkpoint=checkpoint,
            resume=checkpoint is not None,
            progress=context.progress,
            after_step=(*after_step, *keepers),
            penalties=penalties,
            teacher=context.parent if training.distil else None,
            on_epoch=context.on_epoch,
        )
