"""The pass that replaces dense kernels by products of structured sparse ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.factor.interleaved import Interleaved
from gossamer.compress.factor.plan import Rule
from gossamer.compress.factor.replace import Work
from gossamer.compress.prune.scope import check_choice
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=5, learning_rate=0.01)


@dataclass(frozen=True)
class Interleave:
    """Replace dense convolutions by interleaved group convolutions, fitted to their outputs.

    A kernel becomes a product of block-diagonal matrices with channel shuffles between them
    (`gossamer.compress.factor.interleaved.Interleaved`). Values start from the projection of the
    kernel on such products, minimise the error of the layer's outputs by alternating least squares,
    and are trained on. Grouped, depthwise and linear layers stay as they are; the ledger says so.
    Where the layer rounds its input, the first group convolution does, to the same levels.

    Source: the idea is that of the talk on interleaved group convolutions (Wang, 2018): a product
    of several sparse kernels, for size and for arithmetic; see `Interleaved` for the papers.

    Args:
        factors: group convolutions in a chain, ≥ 2: two for IGCV1, more for IGCV2.
        partition: "budget": the partitions of all layers together lose least and save `amount`;
            "energy": each layer keeps that share of its outputs' energy.
        primary: groups of the spatial convolution; 0 to choose them.
        secondary: groups of the 1×1 convolution behind it; 0 to choose them.
        of: what is saved: "macs", "parameters", or "time", by a function given to `compress`.
        amount: share to save of what the layers cost that can be factored, 0 ≤ a < 1.
        energy: share of its energy that each layer keeps, 0 < e ≤ 1.
        images: training pictures to look at, at most, ≥ 1.
        reconstruct: fit each chain's last factor to the dense layer's outputs once more, with what
            the chains before it now give.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards; zeros stay zero.
    """

    name: ClassVar[str] = "interleave"

    factors: int = 2
    partition: str = "budget"
    primary: int = 0
    secondary: int = 0
    of: str = "macs"
    amount: float = 0.5
    energy: float = 0.95
    images: int = 1024
    reconstruct: bool = True
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "rule for partitions", self.partition, ("budget", "energy"))
        for label, value, least in (
            ("factors", self.factors, 2),
            ("primary", self.primary, 0),
            ("secondary", self.secondary, 0),
        ):
            if value < least:
                expected = f"≥ {least}"
                raise PassError(
                    f"{label} out of range", where=self.name, got=value, expected=expected
                )
        self._work().check(model, context, needs_data=Interleaved.needs_data)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Replace in place."""
        return self._work().apply(model, context)

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return nothing: `apply` tells what came of it."""
        return {}

    def _work(self) -> Work:
        given = {"factors": self.factors, "primary": self.primary, "secondary": self.secondary}
        rule = Rule(self.partition, self.amount, self.energy)
        how = (self.of, self.images, self.reconstruct)
        scope = (self.include, self.exclude, self.training)
        return Work(self.name, partial(Interleaved, **given), rule, *how, *scope)
