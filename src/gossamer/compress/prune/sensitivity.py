"""How much sparsity each layer bears: measured layer by layer, shared out by dynamic programming.

Source: Frantar & Alistarh, "SPDY", 2022: the loss of the network is taken as the sum of what the
layers lose on their own, and the sum is minimised under a budget in whole buckets. Their costs are
times; ours are nonzeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.granularity import Granularity
from gossamer.compress.prune.selection import select

GRID = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Sparsities that are measured in each layer."""

PICTURES = 256
_BUCKETS = 2000


def sensitivity_sparsities(
    layers: Layers,
    scores: Mapping[str, Tensor],
    evidence: Evidence,
    granularity: Granularity,
    sparsity: float,
) -> dict[str, float]:
    """Return the sparsity of each layer that should cost least, over all layers the wanted one.

    Args:
        layers: by name; as they were afterwards.
        scores: of the criterion.
        evidence: with data; PICTURES of its pictures at most.
        granularity: of the masks.
        sparsity: over all layers together, 0…0.98.
    """
    few = Evidence(
        evidence.model, evidence.split, min(evidence.images, PICTURES), seed=evidence.seed
    )
    sizes = [layer.weight.numel() for layer in layers.values()]
    grid = sorted({*GRID, round(sparsity, 6)})
    losses = [
        [_loss_at({n: layer}, scores, few, granularity, s) for s in grid]
        for n, layer in layers.items()
    ]
    chosen = cheapest(losses, sizes, grid, sparsity)
    return dict(zip(layers, (grid[i] for i in chosen), strict=True))


def _loss_at(
    layer: Layers,
    scores: Mapping[str, Tensor],
    evidence: Evidence,
    granularity: Granularity,
    sparsity: float,
) -> float:
    """Return the network's loss with one layer pruned to a sparsity."""
    ((name, module),) = layer.items()
    kept = module.weight.detach().clone()
    mask = select(layer, scores, granularity, sparsity, "global", 0.0)[name]
    with torch.no_grad():
        module.weight.mul_(mask)
        total = sum(float(loss) * size for loss, size in evidence.losses())
        module.weight.copy_(kept)
    return total / evidence.count


def cheapest(
    losses: Sequence[Sequence[float]],
    sizes: Sequence[int],
    grid: Sequence[float],
    sparsity: float,
) -> list[int]:
    """Return for each layer which entry of the grid it gets: the smallest sum of losses.

    The nonzeros of all layers together exceed (1 − sparsity)·Σ sizes by no more than the rounding
    to 1/2000 of the budget in each layer.

    Args:
        losses: (layers, grid).
        sizes: weights a layer.
        grid: sparsities, ascending; the last one at least `sparsity`.
        sparsity: wanted over all layers together.

    Examples:
        >>> cheapest([[0, 1, 9], [0, 0, 0]], [10, 10], [0.0, 0.5, 1.0], 0.5)
        [0, 2]
    """
    budget = (1 - sparsity) * sum(sizes)
    kept = np.outer(sizes, 1 - np.asarray(grid))
    cost = np.floor(kept / budget * _BUCKETS + 1e-9).astype(int)
    best = np.zeros(_BUCKETS + 1)
    choices = []
    for own_losses, own_costs in zip(losses, cost, strict=True):
        table = np.full((len(grid), _BUCKETS + 1), np.inf)
        for row, loss, spent in zip(table, own_losses, own_costs, strict=True):
            if spent <= _BUCKETS:
                row[spent:] = best[: _BUCKETS + 1 - spent] + loss
        choices.append(table.argmin(0))
        best = table.min(0)
    left, chosen = _BUCKETS, list[int]()
    for choice, own_costs in zip(reversed(choices), cost[::-1], strict=True):
        chosen.append(int(choice[left]))
        left -= own_costs[chosen[-1]]
    return chosen[::-1]
