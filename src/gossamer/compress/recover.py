"""The cheapest repair after weights were changed: statistics, of norms or of layers themselves."""

from __future__ import annotations

from torch import nn

from gossamer.compress.norms import NORMS, reestimate_norms
from gossamer.compress.statistics import match_statistics
from gossamer.train.data import Split


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
    if any(isinstance(module, NORMS) for module in model.modules()):
        return reestimate_norms(model, split, seed=seed)
    if parent is not None:
        match_statistics(model, parent, split, scale=False, seed=seed)
    return model
