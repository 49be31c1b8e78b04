"""Pruning and compensation in one sweep over the columns of each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.allocation import keep_best
from gossamer.compress.prune.criteria.surgeon import LayerSurgeon
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.inputs import input_quadratics
from gossamer.compress.prune.curvature.quadratic import Quadratic
from gossamer.compress.prune.curvature.sweep import sweep
from gossamer.compress.prune.granularity import Granularity, parse_granularity
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import (
    check_allocation,
    check_granularity,
    check_scope,
    check_sparsity,
    sparsities,
)
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=0, learning_rate=0.01)


@dataclass(frozen=True)
class SparseGPT:
    """Walk over the columns of each layer once, remove, and move what lies ahead.

    Source: Frantar & Alistarh, "SparseGPT", 2023, on convolutions as in their code: a filter is a
    row. Where they prune every layer equally, the layers' sparsities may come from a global ranking
    by the criterion "layer-obs" or from ERK as well. Inputs are those of the network as the pass
    found it.

    Args:
        sparsity: fraction of zeros over the matched layers together, 0 ≤ s < 1; of N:M, 1 − N/M.
        granularity: "element", blocks of filters such as "4x1", or N:M.
        allocation: "uniform", "global" or "erk".
        min_density: fraction of its weights that each layer keeps at least, 0…1 − sparsity.
        columns: whose masks are chosen together, ≥ 1.
        damping: added to the curvature's diagonal, as a fraction of its mean, > 0.
        images: training pictures to look at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards, zeros held; not at all by default.
    """

    name: ClassVar[str] = "sparse-gpt"

    sparsity: float = 0.5
    granularity: str = "element"
    allocation: str = "uniform"
    min_density: float = 0.01
    columns: int = 128
    damping: float = 0.01
    images: int = 1024
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_sparsity(self.name, self.sparsity, self.min_density)
        if check_granularity(self.name, self.granularity, self.sparsity).columns > 1:
            raise PassError(
                "a sweep over columns has no blocks of several columns",
                where=self.name,
                got=self.granularity,
                expected="element, 4x1, 2:4, …",
            )
        check_allocation(self.name, self.allocation)
        if self.images < 1 or self.columns < 1 or not 0 < self.damping < 1e6:
            got = (self.images, self.columns, self.damping)
            raise PassError("images, columns or damping out of range", where=self.name, got=got)
        check_scope(self.name, model, context, self.include, self.exclude, self.training)
        if context.data is None:
            raise PassError("measuring needs data", where=self.name, hint="pass data=…")

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Prune in place."""
        assert context.data is not None
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        evidence = Evidence(model, context.data.train, self.images, seed=context.seed)
        scores: Mapping[str, Tensor] = {}
        if self.allocation == "global":  # the others ask for shapes only
            scores = LayerSurgeon().scores(layers, evidence, Granularity())
        self.sweep(layers, scores, input_quadratics(layers, evidence, damping=self.damping))
        train_sparse(model, context, self.training, self.include, self.exclude)
        return model

    def sweep(
        self,
        layers: Layers,
        scores: Mapping[str, Tensor],
        quadratics: Iterable[tuple[str, Quadratic]],
    ) -> None:
        """Remove and move, in place: `apply` without collecting curvature and training.

        Args:
            layers: by name.
            scores: of "layer-obs", by the same names; not asked unless the allocation is global.
            quadratics: of the layers as they are.
        """
        scores = scores or {name: layer.weight.detach() for name, layer in layers.items()}
        masks = keep_best(scores, self.sparsity, self.allocation, self.min_density)
        found = {
            name: self._pruned(quadratic, layers[name], 1 - float(masks[name].double().mean()))
            for name, quadratic in quadratics
        }
        with torch.no_grad():
            for name, weight in found.items():
                layers[name].weight.copy_(weight)

    def _pruned(
        self, quadratic: Quadratic, layer: nn.Conv2d | nn.Linear, sparsity: float
    ) -> Tensor:
        granularity = parse_granularity(self.granularity)
        alive = quadratic.rows(layer.weight.detach() != 0)
        units = granularity.columns_of(layer.weight.shape)
        count = quadratic.weight.shape[2]
        order = torch.arange(count)
        widths = [self.columns] * (count // self.columns) + [count % self.columns]
        if granularity.keep:
            order, widths = units.argsort(stable=True), units.bincount().tolist()
        choose = partial(_choose, granularity, sparsity)
        swept = sweep(quadratic, choose, order=order, widths=[w for w in widths if w])
        return swept * quadratic.whole(alive)

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


def _choose(granularity: Granularity, sparsity: float, scores: Tensor, columns: Tensor) -> Tensor:
    """Return which of these columns' weights stay."""
    if granularity.keep:
        ranks = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return ranks < granularity.keep
    rows = min(granularity.rows, len(scores))
    filled = torch.nn.functional.pad(scores, (0, 0, 0, -len(scores) % rows))
    units = filled.view(-1, rows, scores.shape[1]).sum(1)
    kept = keep_best({"": units}, sparsity, "uniform", 0.0)[""]
    return kept.repeat_interleave(rows, 0)[: len(scores)]
