"""Masks on weights, and on whatever the optimiser remembers of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn, optim

from gossamer.compress.layers import match_layers
from gossamer.train.step import Step


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
            weight = layers[name].weight
            dead = ~mask.to(weight.device)
            weight.masked_fill_(dead, 0.0)
            forget(optimiser, weight, dead)


def forget(optimiser: optim.Optimizer | None, weight: Tensor, which: Tensor) -> None:
    """Set to zero what an optimiser remembers of some entries of a weight."""
    state = optimiser.state[weight] if optimiser is not None else {}
    for value in state.values():
        if isinstance(value, Tensor) and value.shape == weight.shape:
            value.masked_fill_(which, 0.0)


def nonzero_masks(layers: Mapping[str, nn.Conv2d | nn.Linear]) -> dict[str, Tensor]:
    """Return the mask that each weight shows by its zeros."""
    return {name: layer.weight.detach() != 0 for name, layer in layers.items()}


class HoldZeros:
    """Keeps what is zero in a network zero while it is trained: an `after_step` of `fit`.

    A mask is nothing but the zeros of the weights, so that it is saved and loaded with them; make
    this from the pruned network, also before training is resumed.

    Args:
        model: the pruned network.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.

    Raises:
        PassError: if no layer matches.

    Examples:
        >>> layer = nn.Sequential(nn.Linear(2, 1))
        >>> _ = nn.init.zeros_(layer[0].weight[:, :1].detach())
        >>> optimiser = optim.Adam(layer.parameters())
        >>> handle = HoldZeros(layer).attach(optimiser)
        >>> layer(torch.ones(1, 2)).sum().backward()
        >>> optimiser.step()
        >>> (layer[0].weight != 0).tolist()
        [[False, True]]
    """

    def __init__(
        self, model: nn.Module, include: tuple[str, ...] = (".*",), exclude: tuple[str, ...] = ()
    ) -> None:
        self.layers = match_layers(model, include, exclude, where="hold zeros")
        self.masks = nonzero_masks(self.layers)

    def __call__(self, step: Step) -> None:
        """Mask weights and momenta after a step of `fit`."""
        self.hold(step.optimiser)

    def hold(self, optimiser: optim.Optimizer) -> None:
        """Mask weights and momenta."""
        apply_masks(self.layers, self.masks, optimiser)

    def attach(self, optimiser: optim.Optimizer) -> torch.utils.hooks.RemovableHandle:
        """Mask after every step of an optimiser in a training loop of your own.

        Returns:
            What to call `remove()` of in the end.
        """
        return optimiser.register_step_post_hook(lambda own, args, kwargs: self.hold(own))
