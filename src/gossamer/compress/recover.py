"""The cheapest repair after weights were changed: statistics, of norms or of layers themselves."""

from __future__ import annotations

from torch import nn

from gossamer.compress.norms import NORMS, likely_augment, reestimate_norms
from gossamer.compress.statistics import match_statistics
from gossamer.train.data import Split


def recover(
    model: nn.Module,
    split: Split,
    parent: nn.Module | None = None,
    *,
    augment: str | None = None,
    seed: int = 0,
) -> nn.Module:
    """Do what `compress` does after every pass.

    The statistics of batch norms are estimated anew (`reestimate_norms`), on images as the training
    had them. Where there are no batch norms, and the
    parent is given, biases give each layer's outputs the parent's means back (`match_statistics`),
    which changes no weight.

    Args:
        model: changed in place.
        split: where the images are drawn from.
        parent: the network that it was before; None if it was trained since.
        augment: what the training did to its images; what the parent's norms tell of that unless
            given (`likely_augment`).
        seed: of the draw.

    Returns:
        The same model.
    """
    if any(isinstance(module, NORMS) for module in model.modules()):
        if augment is None:
            augment = likely_augment(model if parent is None else parent, split, seed=seed)
        return reestimate_norms(model, split, augment=augment, seed=seed)
    if parent is not None:
        match_statistics(model, parent, split, scale=False, seed=seed)
    return model
