"""The pass that brings a network back to its parent after others have changed it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.norms import likely_augment, reestimate_norms
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.outputs import fit_outputs
from gossamer.compress.prune.mask import nonzero_masks
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import check_choice, sparsities
from gossamer.compress.statistics import match_statistics
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

STATISTICS = ("none", "means", "all")
_TRAINING = Recipe(epochs=3, learning_rate=0.01, distil=0.5)


@dataclass(frozen=True)
class Repair:
    """Bring outputs back to those of the parent: layer by layer, by statistics, by training on.

    The parent is the network as it was before the first pass. In this order, each if asked: the
    survivors of each layer get the values that give the parent's outputs best, in closed form
    (`gossamer.compress.prune.curvature.outputs`); each channel gets the mean and deviation that it
    had (`gossamer.compress.statistics`); a short training with the parent as a teacher. Zeros stay
    zero. Shared and quantised values do not stay so, except with statistics "means" and no epochs.
    Layers of other shapes than the parent's are only trained, and the ledger says so.

    Args:
        reconstruct: whether layers are fitted to the parent's outputs.
        statistics: "none", "means" (by biases alone) or "all" (deviations too, by weights; larger
            outputs, so that where they are wrong they are wrong by more).
        images: training pictures to look at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on; by default half of the loss is the distance from the parent.
    """

    name: ClassVar[str] = "repair"

    reconstruct: bool = True
    statistics: str = "means"
    images: int = 512
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "statistics", self.statistics, STATISTICS)
        if self.images < 1:
            raise PassError("images out of range", where=self.name, got=self.images)
        check_data(self.name, self.training, context)
        if context.data is None and (self.reconstruct or self.statistics != "none"):
            raise PassError("measuring needs data", where=self.name, hint="pass data=…")
        match_layers(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Repair in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        parent = context.parent or deepcopy(model).requires_grad_(False)
        if context.data is not None:
            self._compare(model, layers, parent, context)
        context = replace(context, parent=parent)
        train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))

    def _compare(
        self, model: nn.Module, layers: Layers, parent: nn.Module, context: Context
    ) -> None:
        """Fit what has the parent's shape to what the parent gives."""
        assert context.data is not None
        shapes = {name: p.shape for name, p in parent.named_parameters()}
        alike = {n: m for n, m in layers.items() if shapes.get(f"{n}.weight") == m.weight.shape}
        for name in [name for name in layers if name not in alike]:
            context.tell(name, "of another shape than the parent's: only trained")
        split = context.data.train
        if self.reconstruct:
            evidence = Evidence(model, split, self.images, seed=context.seed)
            fit_outputs(alike, nonzero_masks(alike), evidence, parent=parent)
        augment = likely_augment(parent, split, seed=context.seed)
        reestimate_norms(model, split, augment=augment, seed=context.seed)
        if self.statistics != "none":
            scale, names = self.statistics == "all", list(alike)
            match_statistics(
                model, parent, split, scale=scale, names=names, images=self.images,
                augment=augment, seed=context.seed,
            )  # fmt: skip
