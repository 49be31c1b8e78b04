"""Activations cut off below a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.chains import replace_module
from gossamer.compress.contract import Context, check_data
from gossamer.compress.evaluating import evaluating
from gossamer.compress.neurons.activations import function_of, match_activations
from gossamer.compress.neurons.calibrate import for_sparsity, within_loss
from gossamer.compress.neurons.measure import tell_activations
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.prune.scope import check_choice
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.nets.blocks.threshold import Truncated
from gossamer.train.recipe import Recipe

BY = ("threshold", "sparsity", "loss")
PER = ("layer", "channel")
_TRAINING = Recipe(epochs=3, learning_rate=0.01)


@dataclass(frozen=True)
class TruncateActivations:
    """Set activations to zero that are not above a threshold; then train on with it.

    Of a ReLU that is FATReLU (Kurtz et al. 2020), or shifted max(x − t, 0); of others Tr[f(x)]. A
    module that a network uses several times has one threshold for all uses.

    Args:
        by: how thresholds are found: "threshold" (the amount itself), "sparsity" (the amount is the
            fraction of zeros that each activation gives at least) or "loss" (the amount is the rise
            of the mean cross-entropy, in nats, over the pictures, before training on).
        amount: ≥ 0; of sparsity, < 1.
        per: one threshold a "layer" or a "channel".
        shifted: whether the threshold is taken off what stays.
        images: training pictures to look at, at most, ≥ 1.
        include: regular expressions of names of activation modules.
        exclude: regular expressions of activation modules to leave alone.
        training: how to train on, thresholds and zeros of weights held.
    """

    name: ClassVar[str] = "truncate-activations"

    by: str = "sparsity"
    amount: float = 0.7
    per: str = "layer"
    shifted: bool = False
    images: int = 256
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "way to find thresholds", self.by, BY)
        check_choice(self.name, "kind of threshold", self.per, PER)
        most = 1 if self.by == "sparsity" else 1e6
        if not 0 <= self.amount < most or self.images < 1:
            got = (self.amount, self.images)
            raise PassError("amount or images out of range", where=self.name, got=got)
        check_data(self.name, self.training, context)
        if self.by != "threshold" and context.data is None:
            raise PassError("measuring needs data", where=self.name, hint="pass data=…")
        found = match_activations(model, self.include, self.exclude, where=self.name)
        self._channels(model, found, context.example_inputs)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Replace activations in place, find their thresholds, and train."""
        found = match_activations(model, self.include, self.exclude, where=self.name)
        made = self._replace(model, found, context.example_inputs)
        if context.data is not None and self.by != "threshold":
            evidence = Evidence(model, context.data.train, self.images, seed=context.seed)
            find = for_sparsity if self.by == "sparsity" else within_loss
            find(made, evidence, self.amount)
        train_on(model, context, self.training, (HoldZeros(model),))
        tell_activations(model, context)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the smallest and the largest threshold."""
        limits = [m.threshold for m in model.modules() if isinstance(m, Truncated)]
        return {
            "lowest_threshold": min(float(t.min()) for t in limits),
            "highest_threshold": max(float(t.max()) for t in limits),
        }

    def _replace(
        self, model: nn.Module, found: Mapping[str, nn.Module], example: Tensor
    ) -> dict[str, Truncated]:
        widths = self._channels(model, found, example)
        start = self.amount if self.by == "threshold" else 0.0
        made = {
            name: Truncated(
                str(function_of(module)),
                torch.full((widths[name],), start) if self.per == "channel" else start,
                shifted=self.shifted,
            )
            for name, module in found.items()
        }
        for name, module in made.items():
            replace_module(model, found[name], module.train(found[name].training))
        return made

    def _channels(
        self, model: nn.Module, found: Mapping[str, nn.Module], example: Tensor
    ) -> dict[str, int]:
        """Return the channels of each activation; raise PassError if it has different numbers."""
        widths = channels_of(model, found, example)
        for name, counts in widths.items():
            if self.per == "channel" and len(counts) > 1:
                raise PassError(
                    "an activation of different widths has no thresholds a channel",
                    where=f"{self.name}: {name}",
                    got=sorted(counts),
                    hint="per: layer",
                )
        return {name: max(counts, default=1) for name, counts in widths.items()}


def channels_of(
    model: nn.Module, modules: Mapping[str, nn.Module], example: Tensor
) -> dict[str, set[int]]:
    """Return the numbers of channels that each module is used with in a forward pass."""
    found: dict[str, set[int]] = {name: set() for name in modules}
    names = {module: name for name, module in modules.items()}

    def note(module: nn.Module, args: Any) -> None:
        found[names[module]].add(int(args[0].shape[1]))

    hooks = [module.register_forward_pre_hook(note) for module in names]
    try:
        with evaluating(model), torch.no_grad():
            model(example[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return found
