"""The random criterion: what every other one has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.granularity import Granularity


@dataclass(frozen=True)
class Random:
    """Uniform random numbers, from the seed of the evidence."""

    needs_data: ClassVar[bool] = False

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return random numbers 0…1."""
        generator = torch.Generator().manual_seed(evidence.seed)
        return {
            name: torch.rand(layer.weight.shape, generator=generator).to(layer.weight.device)
            for name, layer in layers.items()
        }
