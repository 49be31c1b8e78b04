"""Gradient times weight: the first-order estimate of what a removal costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.granularity import Granularity


@dataclass(frozen=True)
class Taylor:
    """|w · ∂E/∂w|, the mean over batches.

    Source: Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient
    Inference", 2017, eq. 7, applied to weights. At a minimum the gradient of all pictures together
    is zero; the mean of absolute values over batches is not.
    """

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return the mean of |w · ∂E/∂w|."""
        weights = [layer.weight for layer in layers.values()]
        sums = [torch.zeros_like(weight) for weight in weights]
        for loss, size in evidence.losses():
            for total, weight, gradient in zip(
                sums, weights, torch.autograd.grad(loss, weights), strict=True
            ):
                total += size * (weight.detach() * gradient).abs()
        return {name: total / evidence.count for name, total in zip(layers, sums, strict=True)}
