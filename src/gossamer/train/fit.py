"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from gossamer.errors import DataError, SpecError
from gossamer.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from gossamer.train.data import Data
from gossamer.train.evaluate import accuracy
from gossamer.train.fits import check_fits
from gossamer.train.history import EpochRecord
from gossamer.train.loss import classification_loss, distillation_loss
from gossamer.train.progress import track
from gossamer.train.recipe import Recipe
from gossamer.train.registry import AUGMENTS, OPTIMISERS, PRECISIONS, SCHEDULES
from gossamer.train.step import AfterStep, Step


def fit(
    model: nn.Module,
    data: Data,
    recipe: Recipe | None = None,
    *,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    after_step: Sequence[AfterStep] = (),
    penalties: Sequence[Callable[[], torch.Tensor]] = (),
    teacher: nn.Module | None = None,
    on_epoch: Callable[[EpochRecord], object] | None = None,
) -> nn.Module:
    """Train a network in place.

    The same code runs in one process or in many (`accelerate launch`), on CPU or GPU. The result
    follows from model, data, recipe and the number of threads: training that was stopped and
    resumed ends in the same bits as training that ran through.

    Args:
        model: from (N, C, H, W) to logits (N, classes), in training mode maybe to a tuple with
            the logits of auxiliary heads behind them.
        data: what to learn, and the test split to report on.
        recipe: how; the default recipe unless given.
        checkpoint: file to write after each epoch.
        resume: go on from that file if it exists.
        progress: show a bar on a terminal.
        after_step: called in order after every optimiser step; what is `Stateful` is resumed, too.
        penalties: called after every forward pass; what they return is added to the loss.
        teacher: from images to logits, as the model; for recipes that distil. On the CPU and in
            evaluation mode afterwards, too.
        on_epoch: called with each epoch's record; when resuming, with the earlier ones first.

    Returns:
        The same model, on the CPU, in evaluation mode.

    Raises:
        SpecError: if `resume` is asked without a file, the checkpoint follows another recipe, the
            recipe distils and there is no teacher, or the processes do not divide the batch.
        DataError: if the checkpoint cannot be read, or the loss is not finite.
        ShapeError: if the network does not take the pictures, or has too few classes.

    Examples:
        >>> from gossamer.nets.create import create_model
        >>> from gossamer.train.data import load_data
        >>> history = []
        >>> model = fit(create_model("digits-plain", width=8), load_data("digits"),
        ...             Recipe(epochs=1), on_epoch=history.append)
        >>> history[0].epoch, model.training
        (1, False)
    """
    recipe = recipe or Recipe()
    if resume and checkpoint is None:
        raise SpecError("nothing to resume from", hint="give the checkpoint file")
    if recipe.distil and teacher is None:
        raise SpecError("distillation needs a teacher", where="recipe: distil", got=recipe.distil)
    check_fits(model, data)
    on_epoch = on_epoch or (lambda record: None)
    loop = _Loop(model, data, recipe, tuple(after_step), tuple(penalties), teacher)
    history = loop.restore(Path(checkpoint)) if resume and checkpoint else ()
    for record in history:
        on_epoch(record)
    with (
        torch.random.fork_rng(),
        track(
            "training", recipe.epochs - len(history), enabled=progress and loop.is_main
        ) as advance,
    ):
        for epoch in range(len(history), recipe.epochs):
            record = loop.run_epoch(epoch)
            history = (*history, record)
            if checkpoint is not None and loop.is_main:
                state = Checkpoint(recipe, history)
                save_checkpoint(checkpoint, state, model, loop.optimiser, loop.after_step)
            on_epoch(record)
            advance(f"loss {record.loss:.3f}, accuracy {record.accuracy:.1%}")
    if teacher is not None:
        teacher.to("cpu")
    return model.to("cpu").eval()


class _Loop:
    """Model, optimiser and data of one training, on this process's device."""

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        recipe: Recipe,
        after_step: tuple[AfterStep, ...],
        penalties: tuple[Callable[[], torch.Tensor], ...],
        teacher: nn.Module | None,
    ) -> None:
        self.accelerator = Accelerator()
        self.model, self.data, self.recipe = model, data, recipe
        self.after_step, self.penalties = after_step, penalties
        self.teacher = teacher.to(self.accelerator.device).eval() if teacher is not None else None
        self.batch_size = min(recipe.batch_size, len(data.train))
        if self.batch_size % self.accelerator.num_processes:
            raise SpecError(
                "the processes must divide the batch",
                got=f"{self.batch_size} images over {self.accelerator.num_processes} processes",
            )
        self.steps_per_epoch = len(data.train) // self.batch_size
        self.total = self.steps_per_epoch * recipe.epochs
        model.to(self.accelerator.device)
        self.optimiser = OPTIMISERS[recipe.optimiser](model.parameters(), recipe)
        self.parallel = self.accelerator.prepare_model(model)

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    def restore(self, path: Path) -> tuple[EpochRecord, ...]:
        """Load a checkpoint, if there is one, and return its history."""
        if not path.exists():
            return ()
        state = load_checkpoint(path, self.model, self.optimiser, self.after_step)
        if state.recipe != self.recipe:
            asked, found = self.recipe.to_dict(), state.recipe.to_dict()
            other = [name for name in asked if asked[name] != found[name]]
            raise SpecError(
                "the checkpoint follows another recipe",
                where=path,
                got={name: found[name] for name in other},
                expected={name: asked[name] for name in other},
                hint="resume with that recipe, or train without resume",
            )
        return state.history

    def run_epoch(self, epoch: int) -> EpochRecord:
        """Train one epoch and evaluate."""
        torch.manual_seed(
            int(np.random.SeedSequence([self.recipe.seed, epoch]).generate_state(1)[0])
        )
        self.parallel.train()
        losses = [
            self.run_step(epoch * self.steps_per_epoch + step, images, labels)
            for step, (images, labels) in enumerate(self.batches(epoch))
        ]
        mean = self.accelerator.reduce(torch.stack(losses).mean(), "mean")
        loss = float(mean)  # type: ignore[arg-type]
        if not np.isfinite(loss):
            raise DataError(
                "the loss is not finite", where=f"epoch {epoch + 1}", hint="lower the learning rate"
            )
        return EpochRecord(epoch + 1, loss, accuracy(self.model, self.data.test))

    def batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield this process's share of every whole batch, in the epoch's own random order.

        Every process draws the same numbers and keeps its share, so that the images
        seen do not depend on the number of processes.
        """
        rng = np.random.default_rng([self.recipe.seed, epoch])
        order = rng.permutation(len(self.data.train))
        augment = partial(AUGMENTS[self.recipe.augment], rng=rng)
        rank, count = self.accelerator.process_index, self.accelerator.num_processes
        for step in range(self.steps_per_epoch):
            indices = order[step * self.batch_size : (step + 1) * self.batch_size]
            images, labels = self.data.train.batch(indices, augment)
            device = self.accelerator.device
            yield images[rank::count].to(device), labels[rank::count].to(device)

    def run_step(self, index: int, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Take one optimiser step and return the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(index)
        self.optimiser.zero_grad()
        loss = self.loss(images, labels)
        self.accelerator.backward(loss)
        self.optimiser.step()
        for call in self.after_step:
            call(Step(self.model, self.optimiser, index, self.total))
        return loss.detach()

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return what a step minimises: answers, a teacher's answers, penalties."""
        recipe, outputs = self.recipe, self.answers(self.parallel, images)
        loss = classification_loss(outputs, labels, label_smoothing=recipe.label_smoothing)
        if recipe.distil and self.teacher is not None:
            with torch.no_grad():
                answers = self.answers(self.teacher, images)
            taught = distillation_loss(outputs, answers, recipe.temperature)
            loss = (1 - recipe.distil) * loss + recipe.distil * taught
        for penalty in self.penalties:
            loss = loss + penalty()
        return loss

    def answers(self, model: nn.Module, images: torch.Tensor) -> Any:
        """Return what a network says, computed in the recipe's precision, as float32."""
        kind = PRECISIONS[self.recipe.precision]
        if kind == torch.float32:
            return model(images)
        with torch.autocast(self.accelerator.device.type, kind):
            outputs = model(images)
        return tuple(o.float() for o in outputs) if isinstance(outputs, tuple) else outputs.float()

    def learning_rate(self, index: int) -> float:
        """Return the rate of one step: linear warm-up times the schedule."""
        warmup = self.recipe.warmup * self.steps_per_epoch
        rise = min(1.0, (index + 1) / warmup) if warmup else 1.0
        return (
            self.recipe.learning_rate * rise * SCHEDULES[self.recipe.schedule](index / self.total)
        )
