"""Weights of two or three values, trained straight through their rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.quantise.few_values import METHODS
from gossamer.compress.quantise.layers import can_round, read_signs
from gossamer.compress.quantise.ranges import positive_shares
from gossamer.compress.quantise.straight_through import StraightThrough
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_IMAGES, _ONE_SIDED = 128, 0.01
_TRAINING = Recipe(epochs=10, optimiser="adamw", learning_rate=1e-3, weight_decay=0.0)


@dataclass(frozen=True)
class Binarise:
    """Give weights two values a layer or channel, or three, and train the network with them.

    - "binary-connect": ±H, one H a layer, which stays.
    - "bwn": ±α, one α a channel, the mean size of its real weights.
    - "xnor": the same, and layers read the signs of their inputs; α of inputs is left to the norms,
      as the paper finds that it hardly matters. Layers become `SignConv2d` or `SignLinear`. The
      paper's blocks are norm, sign, convolution. Behind a ReLU the sign only says where that is
      open, and no gradient comes through where it is closed; behind what is positive everywhere
      there is nothing left to read, which the ledger says.
    - "twn": −α, 0, α, one α a layer.

    Weights that are zero stay zero. Export holds them as codebooks, with a scale a channel where
    channels differ.

    Source: see `gossamer.compress.quantise.few_values`.

    Args:
        method: one of the four.
        ends: whether the first and the last of the network's layers are binarised, too; XNOR-Net
            and most after it leave them as they are.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on; without it accuracy is lost.
    """

    name: ClassVar[str] = "binarise"

    method: str = "bwn"
    ends: bool = False
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        if self.method not in METHODS:
            raise PassError(
                "unknown method", where=self.name, got=self.method, expected=tuple(METHODS)
            )
        check_data(self.name, self.training, context)
        for name, layer in self._layers(model).items():
            if self.method == "xnor" and not can_round(layer):
                raise PassError(
                    "only plain layers can read signs",
                    where=f"{self.name}, layer {name}",
                    got=type(layer).__name__,
                    hint="exclude it",
                )

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Binarise in place."""
        layers = self._layers(model)
        method = METHODS[self.method]
        roundings = {name: method(layer.weight.detach()) for name, layer in layers.items()}
        straight = StraightThrough(layers, roundings)
        if self.method == "xnor":
            for layer in layers.values():
                read_signs(layer)
        train_on(model, context, self.training, (HoldZeros(model), straight), free=tuple(layers))
        if self.method == "xnor" and context.data is not None:
            evidence = Evidence(model, context.data.train, _IMAGES, seed=context.seed)
            for name, share in positive_shares(layers, evidence).items():
                if min(share, 1 - share) < _ONE_SIDED:
                    context.tell(name, f"{share:.1%} of the signs that it reads are positive")
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the most values that a channel of a binarised layer has."""
        channels = (row for layer in self._layers(model).values() for row in layer.weight.detach())
        return {"values": max(int(row.unique().numel()) for row in channels)}

    def _layers(self, model: nn.Module) -> Layers:
        matched = match_layers(model, self.include, self.exclude, where=self.name)
        if self.ends:
            return matched
        every = list(match_layers(model, (".*",), (), where=self.name))
        inner = {n: layer for n, layer in matched.items() if n not in (every[0], every[-1])}
        if not inner:
            raise PassError(
                "no layer matches but the first and the last",
                where=self.name,
                got=list(matched),
                hint="ends=True binarises these, too",
            )
        return inner
