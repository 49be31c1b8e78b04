"""Statistics of batch norms, estimated anew after weights were changed."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gossamer.compress.evaluating import evaluating
from gossamer.train.data import Split

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


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
    norms = [m for m in model.modules() if isinstance(m, NORMS) and m.track_running_stats]
    if not norms:
        return model
    order = np.random.default_rng(seed).permutation(len(split))[:images]
    size = min(batch_size, len(order))
    momenta = [norm.momentum for norm in norms]
    with evaluating(model), torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
            norm.momentum = None  # a cumulative average
        for start in range(0, len(order) - size + 1, size):
            model(split.batch(order[start : start + size])[0])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model
