"""The magnitude criterion: small weights matter least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.granularity import Granularity


def magnitude(weight: Tensor) -> Tensor:
    """Return |w| (Han et al. 2015), of the weight's shape."""
    return weight.detach().abs()


@dataclass(frozen=True)
class Magnitude:
    """|w|, comparable over layers as it stands."""

    needs_data: ClassVar[bool] = False

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return |w|."""
        return {name: magnitude(layer.weight) for name, layer in layers.items()}


@dataclass(frozen=True)
class RelativeMagnitude:
    """|w| in units of its layer's standard deviation.

    One threshold over all layers then is Han's rule |w| < s·std(layer) with a common s. (A slide
    that this project started from has `W < threshold`, which would remove every negative weight.)

    Source: Han et al., "Learning both Weights and Connections", 2015. The deviation is that of the
    weights that are not zero already, so that a second round is not measured with another rod.
    """

    needs_data: ClassVar[bool] = False

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return |w| / std."""
        return {
            name: magnitude(layer.weight) / deviation(layer.weight)
            for name, layer in layers.items()
        }


def deviation(weight: Tensor) -> float:
    """Return the standard deviation of the nonzeros of a weight; 1 where there is none."""
    alive = weight.detach()[weight.detach() != 0]
    return float(alive.std(unbiased=False)) if alive.numel() > 1 else 1.0
