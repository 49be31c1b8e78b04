"""Statistics of batch norms after weights were changed.

Networks are trained on pictures that were moved and mirrored, with black where something came in,
and keep the statistics of those. Plain pictures have others, and a network that is given them is
several points worse. So statistics are estimated on pictures as in the training.
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
    *,
    augment: str = "none",
    images: int = 1024,
    batch_size: int = 128,
    seed: int = 0,
) -> nn.Module:
    """Replace running means and variances by plain averages over some training images.

    Weights are left alone. Modes and momenta are restored; the norms see their inputs as in
    training, every other module is in evaluation mode.

    Args:
        model: changed in place; without batch norms nothing is done.
        split: where the images are drawn from.
        augment: what is done to them: what was done in the training, as in `Recipe`.
        images: how many, at most.
        batch_size: images at a time; a last smaller batch is left out.
        seed: of the draw.

    Returns:
        The same model.
    """
    norms = _norms(model)
    if norms:
        batches = _batches(split, augment, images, batch_size, seed)
        for name, (mean, variance) in _averages(model, batches).items():
            norms[name].running_mean.copy_(mean)
            norms[name].running_var.copy_(variance)
    return model


def likely_augment(model: nn.Module, split: Split, *, images: int = 512, seed: int = 0) -> str:
    """Return what was done to a network's training images, as far as its batch norms tell.

    Of all that a recipe can ask for, it is that whose images have statistics nearest to those that
    the norms hold.

    Args:
        model: trained; "none" if it has no batch norms.
        split: that it was trained on.
        images: to look at, at most.
        seed: of the draw.
    """
    norms = _norms(model)
    if not norms:
        return "none"

    def distance(augment: str) -> float:
        found = _averages(model, _batches(split, augment, images, 128, seed))
        return sum(_distance(norms[name], *statistics) for name, statistics in found.items())

    return min(AUGMENTS, key=distance)


def _distance(norm: Any, mean: Tensor, variance: Tensor) -> float:
    """Return how far statistics are from a norm's, in its own deviations."""
    scale = norm.running_var + norm.eps
    moved = (mean - norm.running_mean).square() / scale
    return float((moved + ((variance + norm.eps) / scale).log().square()).mean())


def _norms(model: nn.Module) -> dict[str, Any]:
    """Return the batch norms that keep statistics, by name."""
    return {
        n: m
        for n, m in model.named_modules()
        if isinstance(m, NORMS) and m.running_mean is not None
    }


def _averages(model: nn.Module, batches: Iterator[Tensor]) -> dict[str, Statistics]:
    """Return the statistics of each norm's inputs, plain averages over batches."""
    norms = _norms(model)
    kept = {name: (n.running_mean.clone(), n.running_var.clone()) for name, n in norms.items()}
    counts = {name: n.num_batches_tracked.clone() for name, n in norms.items()}
    momenta = {name: n.momentum for name, n in norms.items()}
    try:
        with evaluating(model), torch.no_grad():
            for norm in norms.values():
                norm.reset_running_stats()
                norm.train()
                norm.momentum = None  # a cumulative average
            for batch in batches:
                model(batch)
        return {name: (n.running_mean.clone(), n.running_var.clone()) for name, n in norms.items()}
    finally:
        for name, norm in norms.items():
            norm.running_mean.copy_(kept[name][0])
            norm.running_var.copy_(kept[name][1])
            norm.num_batches_tracked.copy_(counts[name])
            norm.momentum = momenta[name]


def _batches(
    split: Split, augment: str, images: int, batch_size: int, seed: int
) -> Iterator[Tensor]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(split))[:images]
    size = min(batch_size, len(order))
    change = partial(AUGMENTS[augment], rng=rng)
    for start in range(0, len(order) - size + 1, size):
        yield split.batch(order[start : start + size], change)[0]
