"""How much each unit matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from gossamer.compress.channels.units import Structure
from gossamer.registry import Registry

Criterion = Callable[[Tensor], Tensor]


def energy(weight: Tensor) -> Tensor:
    """Return the square of each entry."""
    return weight.square()


CRITERIA = Registry(
    "criterion",
    {
        "magnitude": "gossamer.compress.prune.criteria.magnitude:magnitude",
        "energy": "gossamer.compress.channels.score:energy",
    },
)


def unit_scores(
    structure: Structure, weights: Mapping[str, Tensor], criterion: Criterion
) -> np.ndarray:
    """Return one score a unit, relative to the mean of its group.

    A unit's score is the sum over all convolution and linear weights that go with it: its filters,
    and the columns that read it. Groups are of different sizes and depths, so that scores are
    divided by the group's mean before they are compared over the network.

    Source: Fang et al., "DepGraph: Towards Any Structural Pruning", 2023, section 3.3.

    Args:
        structure: which units there are.
        weights: by name.
        criterion: importance of each entry of a weight, of its shape, not negative.
    """
    scores = np.zeros(structure.count)
    layers = {layer.weight for layer in structure.flow.layers}
    for (name, axis), units in structure.unit_of.items():
        if name in layers:
            entries = criterion(weights[name].detach()).double()
            others = [other for other in range(entries.ndim) if other != axis]
            sums = entries.sum(others).numpy() if others else entries.numpy()
            np.add.at(scores, units[units >= 0], sums[units >= 0])
    for group in structure.groups:
        scores[group] /= scores[group].mean() or 1.0
    return scores
