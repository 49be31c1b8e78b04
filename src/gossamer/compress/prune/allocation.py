"""Which weights survive: an exact number of the best, over the network or in each layer."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import torch
from torch import Tensor

ALLOCATIONS = ("global", "uniform")


def keep_best(
    scores: Mapping[str, Tensor], sparsity: float, allocation: str, min_density: float
) -> dict[str, Tensor]:
    """Return one mask a layer, True where the weight survives.

    "uniform" gives every layer the same sparsity. "global" ranks all weights together, after each
    layer's own best `min_density` have been set aside, so that no layer vanishes. The number of
    survivors is exactly the wanted one, ties included, unless the guard alone needs more.

    Args:
        scores: importance of each weight, not negative, of any shape.
        sparsity: fraction to remove, 0…1.
        allocation: one of ALLOCATIONS.
        min_density: fraction that each layer keeps at least, 0…1, and one weight in any case.

    Examples:
        >>> scores = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0, 4.0])}
        >>> {k: v.tolist() for k, v in keep_best(scores, 0.5, "global", 0.0).items()}
        {'a': [False, True], 'b': [False, True]}
    """
    floors = {name: max(1, ceil(min_density * s.numel())) for name, s in scores.items()}
    if allocation == "uniform":
        counts = {n: max(floors[n], _survivors(s.numel(), sparsity)) for n, s in scores.items()}
        return {name: best(score, counts[name]) for name, score in scores.items()}
    # What the guard keeps ranks above everything else.
    guarded = [s.masked_fill(best(s, floors[n]), torch.inf).flatten() for n, s in scores.items()]
    ranking = torch.cat(guarded)
    count = max(sum(floors.values()), _survivors(ranking.numel(), sparsity))
    parts = best(ranking, count).split([part.numel() for part in guarded])
    return {n: p.view(s.shape) for (n, s), p in zip(scores.items(), parts, strict=True)}


def best(scores: Tensor, count: int) -> Tensor:
    """Return a mask with exactly `count` True: the highest scores, the first ones among equals."""
    flat = scores.flatten()
    threshold = flat.kthvalue(flat.numel() - count + 1).values
    mask = flat > threshold
    ties = (flat == threshold).nonzero().flatten()
    mask[ties[: count - int(mask.sum())]] = True
    return mask.view(scores.shape)


def _survivors(size: int, sparsity: float) -> int:
    return size - round(sparsity * size)
