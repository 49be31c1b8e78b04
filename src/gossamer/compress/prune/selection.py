"""From scores to masks: granularity, allocation, and what is zero already."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import torch
from torch import Tensor, nn

from gossamer.compress.prune.allocation import best, keep_best, layer_sparsities
from gossamer.compress.prune.criterion import Layers
from gossamer.compress.prune.granularity import Granularity


def select(
    layers: Layers,
    scores: Mapping[str, Tensor],
    granularity: Granularity,
    sparsity: float | Mapping[str, float],
    allocation: str,
    min_density: float,
) -> dict[str, Tensor]:
    """Return one mask a layer, True where the weight survives.

    What is zero already goes first, and stays zero. Of single weights exactly the wanted number
    survives. Larger units go, the lowest mean score first, as long as the wanted number of weights
    is not exceeded. N:M keeps the best n of m everywhere, and asks neither for a sparsity nor for
    an allocation.

    Args:
        layers: by name.
        scores: of each weight, the lowest are removed first.
        granularity: of the masks.
        sparsity: fraction to remove over all layers together, or one number a layer.
        allocation: "global", "uniform" or "erk"; not asked where there is a number a layer.
        min_density: fraction that each layer keeps at least; whole layers may go all the same.
    """
    alive = {name: layer.weight.detach() != 0 for name, layer in layers.items()}
    scores = {n: scores[n].masked_fill(~alive[n], -torch.inf) for n in layers}
    masks = _masks(layers, scores, granularity, sparsity, allocation, min_density)
    return {name: mask & alive[name] for name, mask in masks.items()}


def _masks(
    layers: Layers,
    scores: Mapping[str, Tensor],
    granularity: Granularity,
    sparsity: float | Mapping[str, float],
    allocation: str,
    min_density: float,
) -> dict[str, Tensor]:
    if granularity.keep:
        return {n: keep_in_groups(scores[n], layers[n], granularity) for n in layers}
    if not isinstance(sparsity, Mapping) and allocation != "global":
        shapes = {name: layer.weight.shape for name, layer in layers.items()}
        sparsity = layer_sparsities(shapes, sparsity, allocation)
    parts = (
        [({n: layer}, sparsity[n]) for n, layer in layers.items()]
        if isinstance(sparsity, Mapping)
        else [(layers, sparsity)]
    )
    masks: dict[str, Tensor] = {}
    for part, wanted in parts:
        own = {name: scores[name] for name in part}
        if granularity.is_element:
            masks |= keep_best(own, wanted, "global", min_density)
        else:
            masks |= keep_best_units(part, own, granularity, wanted, min_density)
    return masks


def keep_in_groups(
    scores: Tensor, layer: nn.Conv2d | nn.Linear, granularity: Granularity
) -> Tensor:
    """Return the mask that keeps the best n of each group of m, the first among equals."""
    labels = granularity.labels(layer.weight.shape, groups_of(layer)).flatten()
    # By group, and within it from the best to the worst: the position in its group is the rank.
    order = scores.flatten().cpu().argsort(descending=True, stable=True)
    order = order[labels[order].argsort(stable=True)]
    sizes = labels.bincount()
    starts = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    mask = torch.empty(len(order), dtype=torch.bool)
    mask[order] = torch.arange(len(order)) - starts < granularity.keep
    return mask.view(scores.shape).to(scores.device)


def keep_best_units(
    layers: Layers,
    scores: Mapping[str, Tensor],
    granularity: Granularity,
    sparsity: float,
    min_density: float,
) -> dict[str, Tensor]:
    """Return masks of whole units: those with the lowest means go while they fit what is asked."""
    labels = {n: granularity.labels(layers[n].weight.shape, groups_of(layers[n])) for n in layers}
    means, sizes = [], []
    for name in layers:
        size = labels[name].flatten().bincount()
        mean = unit_means(scores[name].cpu().double(), labels[name])
        if not granularity.is_layer:
            floor = max(1, ceil(min_density * len(size)))
            mean = mean.masked_fill(best(mean, floor), torch.inf)
        means.append(mean)
        sizes.append(size)
    mean, size = torch.cat(means), torch.cat(sizes)
    # Among equals the first ones survive.
    order = (len(mean) - 1) - mean.flip(0).argsort(stable=True)
    budget = round(sparsity * int(size.sum()))
    gone = (size[order].cumsum(0) <= budget) & (mean[order] < torch.inf)
    kept = torch.ones(len(mean), dtype=torch.bool)
    kept[order[gone]] = False
    parts = kept.split([len(part) for part in means])
    return {
        name: part[labels[name]].to(scores[name].device)
        for name, part in zip(layers, parts, strict=True)
    }


def unit_means(values: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over each unit; weights that are gone (−∞) count as 0 beside others."""
    flat, of = values.flatten(), labels.flatten()
    gone = flat == -torch.inf
    sums = torch.zeros(int(of.max()) + 1, dtype=values.dtype)
    sums.index_add_(0, of, flat.masked_fill(gone, 0.0))
    alive = torch.zeros_like(sums).index_add_(0, of, (~gone).to(values.dtype))
    return (sums / of.bincount()).masked_fill(alive == 0, -torch.inf)


def groups_of(layer: nn.Conv2d | nn.Linear) -> int:
    """Return G of a convolution, 1 of a linear layer."""
    return layer.groups if isinstance(layer, nn.Conv2d) else 1
