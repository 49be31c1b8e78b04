"""Statistics of batch norms after weights were changed.

Networks are trained on pictures that were moved and mirrored, with black where something came in,
and keep the statistics of those; on plain pictures they are others, and a network that is given
them is several points worse. So after a training they are estimated on pictures as in the training;
and where nothing was trained, the norms keep what they had, plus what the change of the weights
changes on plain pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.evaluating import evaluating
from gossamer.train.data import Split
from gossamer.train.registry import AUGMENTS

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Statistics = tuple[Tensor, Tensor]
"""Mean and variance of each channel."""


def reestimate_norms(
    model: nn.Module,
    split: Split,
    parent: nn.Module | None = None,
    *,
    augment: str = "none",
    images: int = 1024,
    batch_size: int = 128,
    seed: int = 0,
) -> nn.Module:
    """Estimate running means and variances anew on some training images.

    With a parent, each norm gets what the parent's has, plus the difference of the means, and times
    the quotient of the variances, that both show on the same images: a network that is its parent
    keeps what it has, whatever the images. Norms that the parent does not have get plain averages.

    Weights are left alone. Modes and momenta are restored; the norms see their inputs as in
    training, every other module is in evaluation mode.

    Args:
        model: changed in place; without batch norms nothing is done.
        split: where the images are drawn from.
        parent: the network before its weights were changed; its norms may have more channels.
        augment: what is done to the images, as in `Recipe`.
        images: how many, at most.
        batch_size: images at a time; a last smaller batch is left out.
        seed: of the draw.

    Returns:
        The same model.
    """
    norms = _norms(model)
    if not norms:
        return model
    found = _averages(model, split, augment, images, batch_size, seed)
    others = {} if parent is None else _norms(parent)
    seen = {} if parent is None else _averages(parent, split, augment, images, batch_size, seed)
    for name, norm in norms.items():
        mean, variance = found[name]
        rows = _rows(norm, others[name]) if name in others else None
        if rows is not None:
            kept = others[name].running_mean[rows], others[name].running_var[rows]
            mean, variance = _moved(kept, (seen[name][0][rows], seen[name][1][rows]), found[name])
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
    return model


def _norms(model: nn.Module) -> dict[str, Any]:
    """Return the batch norms that keep statistics, by name."""
    return {
        n: m
        for n, m in model.named_modules()
        if isinstance(m, NORMS) and m.running_mean is not None
    }


def _moved(kept: Statistics, before: Statistics, after: Statistics) -> Statistics:
    """Return statistics changed as those of plain images have changed."""
    alive = before[1] > 0
    quotient = torch.where(alive, after[1] / before[1].clamp(min=1e-30), torch.ones_like(after[1]))
    return kept[0] + after[0] - before[0], kept[1] * quotient


def _rows(norm: Any, other: Any) -> Tensor | None:
    """Return which channel of the parent's norm each channel is, by its weight and bias."""
    size = norm.num_features
    same = torch.arange(size) if size == other.num_features else None
    if norm.weight is None or other.weight is None:
        return same
    mine, theirs = ([row.numpy().tobytes() for row in _parameters(each)] for each in (norm, other))
    if mine == theirs:
        return same
    place = {row: index for index, row in enumerate(theirs)}
    if len(place) < len(theirs) or not place.keys() >= set(mine):
        return same
    return torch.tensor([place[row] for row in mine])


def _parameters(norm: Any) -> Tensor:
    """Return (C, 2) weight and bias."""
    return torch.stack([norm.weight, norm.bias], 1).detach().cpu()


def _averages(
    model: nn.Module, split: Split, augment: str, images: int, batch_size: int, seed: int
) -> dict[str, Statistics]:
    """Return the statistics of each norm's inputs, plain averages over batches."""
    norms = _norms(model)
    kept = {name: (n.running_mean.clone(), n.running_var.clone()) for name, n in norms.items()}
    counts = {name: n.num_batches_tracked.clone() for name, n in norms.items()}
    momenta = {name: n.momentum for name, n in norms.items()}
    with evaluating(model), torch.no_grad():
        for norm in norms.values():
            norm.reset_running_stats()
            norm.train()
            norm.momentum = None  # a cumulative average
        for batch in _batches(split, augment, images, batch_size, seed):
            model(batch)
    found = {name: (n.running_mean.clone(), n.running_var.clone()) for name, n in norms.items()}
    for name, norm in norms.items():
        norm.running_mean.copy_(kept[name][0])
        norm.running_var.copy_(kept[name][1])
        norm.num_batches_tracked.copy_(counts[name])
        norm.momentum = momenta[name]
    return found


def _batches(
    split: Split, augment: str, images: int, batch_size: int, seed: int
) -> Iterator[Tensor]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(split))[:images]
    size = min(batch_size, len(order))
    change = partial(AUGMENTS[augment], rng=rng)
    for start in range(0, len(order) - size + 1, size):
        yield split.batch(order[start : start + size], change)[0]
