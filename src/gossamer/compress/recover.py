"""The cheapest repair after weights were changed: statistics, of norms or of layers themselves."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gossamer.compress.statistics import match_statistics
from gossamer.train.data import Split

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def recover(
    model: nn.Module, split: Split, parent: nn.Module | None = None, seed: int = 0
) -> nn.Module:
    """Do what `compress` does after every pass.

    The statistics of batch norms are estimated anew. Where there are none, and the parent is given,
    biases give each layer's outputs the parent's means back (`match_statistics`), which changes no
    weight.

    Args:
        model: changed in place.
        split: where the images are drawn from.
        parent: the network that it was before; None if it was trained since.
        seed: of the draw.

    Returns:
        The same model.
    """
    if any(isinstance(module, _NORMS) for module in model.modules()):
        return reestimate_norms(model, split, seed=seed)
    if parent is not None:
        match_statistics(model, parent, split, scale=False, seed=seed)
    return model


def reestimate_norms(
    model: nn.Module, split: Split, *, images: int = 1024, batch_size: int = 128, seed: int = 0
) -> nn.Module:
    """Replace running means and variances by plain averages over some training images.

    Weights are left alone. Modes and momenta are restored; the norms see their inputs as in
    training, every other module is in evaluation mode.

    Args:
        model: changed in place; without batch norms nothing is done.
        split: where the images are drawn from, without augmentation.
        images: how many, at most.
        batch_size: images at a time; a last smaller batch is left out.
        seed: of the draw.

    Returns:
        The same model.
    """
    norms = [m for m in model.modules() if isinstance(m, _NORMS) and m.track_running_stats]
    if not norms:
        return model
    order = np.random.default_rng(seed).permutation(len(split))[:images]
    size = min(batch_size, len(order))
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # a cumulative average
    with torch.no_grad():
        for start in range(0, len(order) - size + 1, size):
            model(split.batch(order[start : start + size])[0])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in modes.items():
        module.training = mode
    return model
