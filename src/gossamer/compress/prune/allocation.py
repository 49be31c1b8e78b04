"""Which weights survive: an exact number of the best, over the network or in each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, prod

import torch
from torch import Tensor

ALLOCATIONS = ("global", "uniform", "erk")


def keep_best(
    scores: Mapping[str, Tensor], sparsity: float, allocation: str, min_density: float
) -> dict[str, Tensor]:
    """Return one mask a layer, True where the weight survives.

    "uniform" gives every layer the same sparsity, "erk" each its own (`erk_densities`). "global"
    ranks all weights together, after each layer's own best `min_density` have been set aside, so
    that no layer vanishes. The number of survivors is exactly the wanted one, ties included, unless
    the guard alone needs more; with "erk" it is rounded in each layer.

    Args:
        scores: importance of each weight, of any shape.
        sparsity: fraction to remove, 0…1.
        allocation: one of ALLOCATIONS.
        min_density: fraction that each layer keeps at least, 0…1, and one weight in any case.

    Examples:
        >>> scores = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0, 4.0])}
        >>> {k: v.tolist() for k, v in keep_best(scores, 0.5, "global", 0.0).items()}
        {'a': [False, True], 'b': [False, True]}
    """
    floors = {name: max(1, ceil(min_density * s.numel())) for name, s in scores.items()}
    if allocation != "global":
        wanted = layer_sparsities({n: s.shape for n, s in scores.items()}, sparsity, allocation)
        counts = {n: max(floors[n], _survivors(s.numel(), wanted[n])) for n, s in scores.items()}
        return {name: best(score, counts[name]) for name, score in scores.items()}
    # What the guard keeps ranks above everything else.
    guarded = [s.masked_fill(best(s, floors[n]), torch.inf).flatten() for n, s in scores.items()]
    ranking = torch.cat(guarded)
    count = max(sum(floors.values()), _survivors(ranking.numel(), sparsity))
    parts = best(ranking, count).split([part.numel() for part in guarded])
    return {n: p.view(s.shape) for (n, s), p in zip(scores.items(), parts, strict=True)}


def layer_sparsities(
    shapes: Mapping[str, Sequence[int]], sparsity: float, allocation: str
) -> dict[str, float]:
    """Return the sparsity of each layer under "uniform" or "erk"."""
    if allocation == "uniform":
        return dict.fromkeys(shapes, sparsity)
    assert allocation == "erk", allocation
    return {name: 1 - density for name, density in erk_densities(shapes, sparsity).items()}


def erk_densities(shapes: Mapping[str, Sequence[int]], sparsity: float) -> dict[str, float]:
    """Return the density of each layer of an Erdős–Rényi kernel network.

    A layer's density is ε·(K + C + R + S)/(K·C·R·S), with ε such that the whole has the wanted
    sparsity. Where that exceeds 1 the layer stays dense and ε is found anew for the others; in each
    round only the layers that exceed it most.

    Source: Mocanu et al. 2018 for linear layers; Evci et al., "Rigging the Lottery", 2020, for
    kernels.

    Args:
        shapes: of the weights.
        sparsity: over all layers together, 0…1.

    Examples:
        >>> densities = erk_densities({"a": (8, 3, 3, 3), "b": (8, 8)}, 0.5)
        >>> {name: round(density, 3) for name, density in densities.items()}
        {'a': 0.352, 'b': 1.0}
    """
    raw = {name: sum(shape) / prod(shape) for name, shape in shapes.items()}
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    dense: set[str] = set()
    while True:
        free = [name for name in shapes if name not in dense]
        budget = (1 - sparsity) * sum(sizes.values()) - sum(sizes[name] for name in dense)
        if not free:
            return dict.fromkeys(shapes, 1.0)
        epsilon = budget / sum(raw[name] * sizes[name] for name in free)
        highest = max(raw[name] for name in free)
        if epsilon * highest <= 1:
            return {name: 1.0 if name in dense else epsilon * raw[name] for name in shapes}
        dense |= {name for name in free if raw[name] == highest}


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
