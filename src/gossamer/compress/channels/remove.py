"""The pass that removes channels and retrains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gossamer.compress.channels.removal import Removal, remove_channels
from gossamer.compress.channels.score import CRITERIA
from gossamer.compress.channels.search import Holds, Search
from gossamer.compress.channels.select import Share
from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.mask import apply_masks
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

COMPENSATIONS = ("none", "outputs")
_TRAINING = Recipe(epochs=20, learning_rate=0.05)


@dataclass(frozen=True)
class RemoveChannels:
    """Remove the least important channels for good, then train the rest; zeros stay zero.

    What is added, multiplied, normalised or moved together goes together; a channel's score is the
    sum over all weights that go with it. What an operator without a rule reads stays, and the
    ledger says so. `gossamer.compress.channels.removal.remove_channels` is the function behind it.

    Source: Fang et al., "DepGraph: Towards Any Structural Pruning", 2023. They find what belongs
    together by rules from layer to layer; here every element of every value of the exported graph
    has a label, and operators that move elements are run on the labels.

    Args:
        of: what the amount is a share of: "macs" (of convolutions and linear layers) or "channels"
            (outputs of convolutions).
        amount: share to remove, 0 ≤ a < 1; as few channels go as reach it.
        allocation: "global" (one ranking) or "uniform" (the same share of each group of layers).
        min_density: fraction of its channels that each group of layers keeps at least, 0 ≤ d < 1.
        multiple: widths are rounded up to multiples of this, ≥ 0. Dense kernels, ours and those of
            other engines, compute 8 or 16 output channels at a time, and a width in between costs
            about as much as the next multiple; sparse ones do not mind. 0 for 8, and in narrow
            layers the largest power of two that is at most an eighth of the width.
        criterion: name of the importance of one weight: "magnitude" or "energy" (its square).
        compensate: "none", or "outputs": what is left of each layer, one after the other, gets the
            values that bring back its outputs best (`gossamer.compress.prune.curvature.outputs`).
            Worth most where little is trained afterwards; a walk over the pictures a layer. Values
            that were shared or quantised do not stay so.
        images: training pictures to look at for that, at most, ≥ 1.
        include: regular expressions of the layers whose output channels may go.
        exclude: regular expressions of layers whose output channels stay.
        training: how to retrain.
    """

    name: ClassVar[str] = "remove-channels"

    of: str = "macs"
    amount: float = 0.5
    allocation: str = "global"
    min_density: float = 0.1
    multiple: int = 0
    criterion: str = "magnitude"
    compensate: str = "none"
    images: int = 1024
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        self._check_options()
        check_data(self.name, self.training, context)
        if self.compensate != "none" and context.data is None:
            raise PassError("compensation needs data", where=self.name, hint="pass data=…")
        Search(model, context.example_inputs, self._holds(model)).structure(self.share)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Return a smaller network; the given one stays as it is."""
        made = remove_channels(
            model,
            context.example_inputs,
            self.share,
            criterion=CRITERIA[self.criterion],
            holds=self._holds(model),
            evidence=self._evidence(model, context),
        )
        _report(made, context)
        if context.data is not None:
            layers = match_layers(made.model, (".*",), (), where=self.name)
            masks = {name: layer.weight != 0 for name, layer in layers.items()}

            def keep_zeros(step: Step) -> None:
                apply_masks(layers, masks, step.optimiser)

            train_on(made.model, context, self.training, (keep_zeros,))
        return made.model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return nothing: what went cannot be seen on what is left, `apply` tells it."""
        return {}

    @property
    def share(self) -> Share:
        """How much is to go."""
        return Share(self.of, self.amount, self.allocation, self.min_density, self.multiple)

    def _evidence(self, model: nn.Module, context: Context) -> Evidence | None:
        if self.compensate == "none" or context.data is None:
            return None
        return Evidence(model, context.data.train, self.images, seed=context.seed)

    def _holds(self, model: nn.Module) -> Holds:
        free = match_layers(model, self.include, self.exclude, where=self.name)
        return lambda name: name not in free

    def _check_options(self) -> None:
        self.share.check(self.name)
        for label, value, known in (
            ("criterion", self.criterion, tuple(CRITERIA)),
            ("compensation", self.compensate, COMPENSATIONS),
        ):
            if value not in known:
                raise PassError(f"unknown {label}", where=self.name, got=value, expected=known)
        if self.images < 1:
            raise PassError("images out of range", where=self.name, got=self.images, expected="≥ 1")


def _report(made: Removal, context: Context) -> None:
    """Tell what went, and what had to stay."""
    context.tell("channels_removed", made.before.removed(made.after, "channels"))
    context.tell("macs_removed", made.before.removed(made.after, "macs"))
    for layer, reason in made.frozen.items():
        if reason != "the output":
            context.tell(layer, f"channels stay: {reason}")
