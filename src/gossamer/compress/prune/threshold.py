"""Han's rule: weights below a multiple of their layer's standard deviation go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criteria.magnitude import deviation, magnitude
from gossamer.compress.prune.mask import apply_masks
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import check_scope, sparsities
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=10, learning_rate=0.01)


@dataclass(frozen=True)
class ThresholdPrune:
    """Remove w where |w| < s·std(layer), and train on with a tenth of the usual learning rate.

    Source: Han et al., "Learning both Weights and Connections", 2015. The sparsity is what comes of
    it; the criterion "magnitude-std" of `prune` finds s for a wanted sparsity instead. The
    largest weight of a layer always stays.

    Args:
        factor: s > 0; 0.7…1.5 are usual.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards, zeros held.
    """

    name: ClassVar[str] = "threshold-prune"

    factor: float = 1.0
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        if not 0 < self.factor < 1e6:
            raise PassError("factor out of range", where=self.name, got=self.factor, expected="> 0")
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Prune in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        masks = {}
        for name, layer in layers.items():
            size = magnitude(layer.weight)
            threshold = min(self.factor * deviation(layer.weight), float(size.max()))
            masks[name] = (size >= threshold) & (size > 0)
        apply_masks(layers, masks)
        train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))
