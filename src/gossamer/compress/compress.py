"""Run a recipe of passes over a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context, Pass
from gossamer.compress.layers import check_network
from gossamer.compress.ledger import Ledger, LedgerEntry
from gossamer.compress.measure import Measurement, measure
from gossamer.compress.recipe import load_recipe
from gossamer.compress.recover import recover
from gossamer.compress.resume import PassStore
from gossamer.errors import PassError
from gossamer.graph.export import export
from gossamer.graph.from_torch import example_array
from gossamer.train.data import Data
from gossamer.train.evaluate import accuracy
from gossamer.train.fits import check_fits
from gossamer.train.history import EpochRecord
from gossamer.train.options import options_to_dict
from gossamer.train.recipe import Recipe

Evaluate = Callable[[nn.Module], float]


@dataclass(frozen=True)
class CompressResult:
    """What `compress` gives.

    Args:
        model: of the parent's class, with zeros and shared values in its weights, with fewer
            channels, or with chains of smaller layers in the place of layers; on the CPU, in
            evaluation mode.
        ledger: one entry a pass.
    """

    model: nn.Module
    ledger: Ledger


def compress(
    model: nn.Module,
    example_inputs: Tensor,
    recipe: str | Path | Mapping[str, Any] | Sequence[Pass],
    *,
    data: Data | None = None,
    evaluate: Evaluate | None = None,
    progress: bool = True,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    time_ms: Callable[[nn.Module, Tensor], float] | None = None,
    on_epoch: Callable[[EpochRecord], object] | None = None,
) -> CompressResult:
    """Make a network sparse and compact; the given one is left as it is.

    All passes are checked before the first one starts, and the network is exported and compared
    with its graph before and after (`gossamer.export`). After each pass the statistics of batch
    norms are estimated anew, if there is data, on images as in its training
    (`gossamer.compress.norms`). A network without batch norms that the pass did not train gets the
    means of its layers' outputs back (`gossamer.compress.recover`): those of the network as it was
    given, or, once a pass has trained it, those before this pass.

    Args:
        model: from (N, C, H, W) to logits (N, classes).
        example_inputs: one batch (N, C, H, W) float32.
        recipe: name of a shipped recipe, path of a YAML file, its content, or passes.
        data: for retraining and statistics.
        evaluate: accuracy of a model, 0…1; on the test split of `data` unless given.
        progress: show bars on a terminal.
        seed: of everything random.
        checkpoint: folder for the network after each finished pass, and for the trainings of the
            next one after each epoch.
        resume: skip what is finished there.
        time_ms: what a module takes on an input (1, C, H, W) or (1, F), for passes that are told to
            choose by time: compiled by this package, for example.
        on_epoch: called with the record of each epoch that a pass trains; when resuming inside a
            training, with its earlier ones first.

    Returns:
        The model, and the ledger of what was asked and got.

    Raises:
        PassError: if a pass cannot do what it is asked, there is no module, a weight is not
            float32, not finite or computed from others, or the checkpoint is not of this
            compression or not a folder.
        SpecError: if the recipe is not usable.
        UnknownNameError: if there is no recipe or pass of that name.
        DataError: if the recipe's file cannot be read.
        ShapeError: if the network does not take the pictures of the data, or has too few classes.
        UnsupportedOperatorError: naming the operator that the graph does not have.
        VerificationError: if the graph does not compute what the network does.

    Examples:
        >>> import torch
        >>> from gossamer.compress.prune.gradual import GradualPrune
        >>> from gossamer.nets.create import create_model
        >>> from gossamer.train.recipe import Recipe
        >>> one_shot = GradualPrune(sparsity=0.5, training=Recipe(epochs=0))
        >>> result = compress(create_model("digits-plain"), torch.zeros(1, 1, 8, 8), [one_shot])
        >>> round(result.ledger.entries[0].after.sparsity, 3)
        0.5
    """
    passes = load_recipe(recipe)
    check_network(model)
    example_inputs = torch.from_numpy(example_array(example_inputs))
    model = deepcopy(model).cpu().eval()
    model = model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if data is not None:
        check_fits(model, data)
    parent = deepcopy(model).requires_grad_(False)
    context = Context(
        example_inputs, data, seed, progress, time_ms, parent=parent, on_epoch=on_epoch
    )
    for step in passes:
        step.check(model, context)
    export(model, example_inputs)  # what cannot be exported is said before hours of training
    if resume and checkpoint is None:
        raise PassError("nothing to resume from", hint="give the checkpoint folder")
    if evaluate is None and data is not None:
        test = data.test
        evaluate = lambda model: accuracy(model, test)  # noqa: E731
    if checkpoint is not None and Path(checkpoint).exists() and not Path(checkpoint).is_dir():
        raise PassError("checkpoints need a folder, and this is a file", where=checkpoint)
    store = PassStore(Path(checkpoint), model, passes, seed) if checkpoint is not None else None
    entries = store.restore(model) if store is not None and resume else ()
    for index in range(len(entries), len(passes)):
        previous = entries[-1] if entries else None
        if store is not None:
            if not resume:
                store.forget(index)
            clock = store.clock(index, time_ms) if time_ms is not None else None
            context = replace(context, checkpoints=store.trainings(index), time_ms=clock)
        was_trained = any(_training(step, data) for step in passes[:index])
        reference = deepcopy(model).requires_grad_(False) if was_trained else parent
        model, entry = _run(passes[index], model, context, evaluate, previous, reference)
        if store is not None:
            store.save(index, model, entry)
        entries = (*entries, entry)
    export(model, example_inputs)
    return CompressResult(model, Ledger(entries))


def _run(
    step: Pass,
    model: nn.Module,
    context: Context,
    evaluate: Evaluate | None,
    previous: LedgerEntry | None,
    reference: nn.Module,
) -> tuple[nn.Module, LedgerEntry]:
    """Apply one pass and write its entry."""
    start = perf_counter()
    before, accuracy_before = (
        (previous.after, previous.accuracy_after)
        if previous is not None
        else _judge(model, context, evaluate)
    )
    told: dict[str, float | str] = {}
    model = step.apply(model, replace(context, tell=told.__setitem__)).eval()
    if context.data is not None:
        recipe = _training(step, context.data)
        known, augment = (reference, None) if recipe is None else (None, recipe.augment)
        recover(model, context.data.train, known, augment=augment, seed=context.seed)
    after, accuracy_after = _judge(model, context, evaluate)
    entry = LedgerEntry(
        name=step.name,
        asked=options_to_dict(step),
        got={**{k: v for k, v in told.items() if not isinstance(v, str)}, **step.got(model)},
        before=before,
        after=after,
        accuracy_before=accuracy_before,
        accuracy_after=accuracy_after,
        time_s=perf_counter() - start,
        notes={key: said for key, said in told.items() if isinstance(said, str)},
    )
    return model, entry


def _training(step: Pass, data: Data | None) -> Recipe | None:
    """Return how a pass trains, if it does."""
    training = getattr(step, "training", None)
    return training if data is not None and training is not None and training.epochs else None


def _judge(
    model: nn.Module, context: Context, evaluate: Evaluate | None
) -> tuple[Measurement, float | None]:
    found = None if evaluate is None else float(evaluate(model))
    return measure(model, context.example_inputs), found
