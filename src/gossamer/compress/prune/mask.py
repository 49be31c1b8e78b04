"""Masks on weights, and on whatever the optimiser remembers of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn, optim


def apply_masks(
    layers: Mapping[str, nn.Conv2d | nn.Linear],
    masks: Mapping[str, Tensor],
    optimiser: optim.Optimizer | None = None,
) -> None:
    """Set masked weights to +0, and their momenta too: otherwise the next step revives them.

    Args:
        layers: by name; changed in place.
        masks: by the same names, True where the weight survives.
        optimiser: whose state to mask as well.
    """
    with torch.no_grad():
        for name, mask in masks.items():
            weight, dead = layers[name].weight, ~mask
            weight.masked_fill_(dead, 0.0)
            state = optimiser.state[weight] if optimiser is not None else {}
            for value in state.values():
                if isinstance(value, Tensor) and value.shape == weight.shape:
                    value.masked_fill_(dead, 0.0)
