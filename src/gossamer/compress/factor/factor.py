"""The pass that replaces layers by products of smaller dense ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.factor.plan import RULES, Rule
from gossamer.compress.factor.registry import METHODS
from gossamer.compress.factor.replace import Work
from gossamer.compress.prune.scope import check_choice
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=5, learning_rate=0.01)


@dataclass(frozen=True)
class Factor:
    """Replace layers by chains of smaller ones, fit them to the dense outputs, and train on.

    Stride, padding, dilation, groups and bias stay. A layer that no chain makes cheaper stays as it
    is, and the ledger says so; zeros of a pruned layer count as saved already. A factored layer has
    the name of the layer, with its factors under it as "0", "1", … Where the layer rounds its
    input, the first factor does, to the same levels; factors of integers are real numbers. A layer
    that reads signs stays.

    Args:
        method: a name in `gossamer.compress.factor.registry.METHODS`.
        ranks: "budget": the ranks of all layers together lose least and save `amount`; "energy":
            each layer keeps that share of its energy; "noise": EVBMF of each layer's weights.
        of: what is saved: "macs", "parameters", or "time", by a function given to `compress`.
        amount: share to save of what the layers cost that can be factored, 0 ≤ a < 1.
        energy: share of its energy that each layer keeps, 0 < e ≤ 1.
        multiple: ranks are multiples of this, ≥ 1, for kernels that like them.
        images: training pictures to look at, at most, ≥ 1.
        reconstruct: fit each chain's last factor to the dense layer's outputs; needs data.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards; zeros stay zero.
    """

    name: ClassVar[str] = "factor"

    method: str = "weighted-svd"
    ranks: str = "budget"
    of: str = "macs"
    amount: float = 0.5
    energy: float = 0.95
    multiple: int = 1
    images: int = 1024
    reconstruct: bool = True
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "decomposition", self.method, tuple(METHODS))
        check_choice(self.name, "rule for ranks", self.ranks, RULES)
        self._work().check(model, context, needs_data=METHODS[self.method].needs_data)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Factor in place."""
        return self._work().apply(model, context)

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return nothing: `apply` tells what came of it."""
        return {}

    def _work(self) -> Work:
        rule = Rule(self.ranks, self.amount, self.energy, self.multiple)
        how = (self.of, self.images, self.reconstruct)
        scope = (self.include, self.exclude, self.training)
        return Work(self.name, METHODS[self.method], rule, *how, *scope)
