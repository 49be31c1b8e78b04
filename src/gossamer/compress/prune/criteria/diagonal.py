"""Optimal brain damage: ½·h·w² with h a diagonal entry of the Hessian.

Source: LeCun, Denker & Solla, "Optimal Brain Damage", 1989. The four criteria differ in where h
comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.backprop import backprop_diagonal
from gossamer.compress.prune.curvature.diagonal import exact_diagonal, hutchinson_diagonal
from gossamer.compress.prune.granularity import Granularity


@dataclass(frozen=True)
class BackPropagated:
    """h back-propagated without the f″ terms (Gauss–Newton): never negative, one backward pass."""

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return ½·h·w²."""
        return _saliencies(layers, _propagated(layers, evidence, gauss_newton=True))


@dataclass(frozen=True)
class BackPropagatedFull:
    """h back-propagated with the f″ terms; may be negative, where removing a weight helps."""

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return ½·h·w²."""
        return _saliencies(layers, _propagated(layers, evidence, gauss_newton=False))


@dataclass(frozen=True)
class Hutchinson:
    """h as the mean of v ⊙ Hv over random signs v, with all cross terms; negative ones count as 0.

    Args:
        probes: sign vectors a batch, ≥ 1.
    """

    needs_data: ClassVar[bool] = True
    probes: int = 1

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return ½·h·w²."""
        generator = torch.Generator().manual_seed(evidence.seed)
        weights = [layer.weight for layer in layers.values()]
        sums = [torch.zeros_like(weight) for weight in weights]
        for loss, size in evidence.losses():
            found = hutchinson_diagonal(loss, weights, probes=self.probes, generator=generator)
            for total, diagonal in zip(sums, found, strict=True):
                total += size / evidence.count * diagonal
        return _saliencies(layers, {n: h.clamp(min=0) for n, h in zip(layers, sums, strict=True)})


@dataclass(frozen=True)
class Exact:
    """h exactly, one backward pass a weight: for small networks, to check the others with."""

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return ½·h·w²."""
        weights = [layer.weight for layer in layers.values()]
        sums = [torch.zeros_like(weight) for weight in weights]
        for loss, size in evidence.losses():
            for total, diagonal in zip(sums, exact_diagonal(loss, weights), strict=True):
                total += size / evidence.count * diagonal
        return _saliencies(layers, dict(zip(layers, sums, strict=True)))


def _propagated(layers: Layers, evidence: Evidence, *, gauss_newton: bool) -> dict[str, Tensor]:
    weights = [layer.weight for layer in layers.values()]
    with evidence.evaluating() as model:
        found = backprop_diagonal(model, evidence.batches(), weights, gauss_newton=gauss_newton)
    return dict(zip(layers, found, strict=True))


def _saliencies(layers: Layers, diagonals: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: layer.weight.detach().square() * diagonals[name] / 2 for name, layer in layers.items()
    }
