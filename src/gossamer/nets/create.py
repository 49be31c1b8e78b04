"""Build a network from its name."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.network import Network
from gossamer.nets.registry import NETWORKS


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    seed: int = 0,
    **options: Any,
) -> nn.Module:
    """Build a network with fresh weights, in training mode.

    Args:
        name: a key of `gossamer.nets.registry.NETWORKS`.
        num_classes: length of the output, ≥ 1; the network's own unless given.
        in_channels: C of the input, ≥ 1; the network's own unless given.
        seed: of the initial weights; the same seed gives the same weights.
        **options: what else the family can vary.

    Returns:
        A module from (N, C, H, W) float32 to logits (N, num_classes).

    Raises:
        UnknownNameError: if there is no such network.
        SpecError: if the network does not have such an option, or a value is out of range.

    Example:
        >>> model = create_model("digits-plain", num_classes=3)
        >>> model(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 3])
    """
    network: Network = NETWORKS[name]
    wanted = {
        "num_classes": network.num_classes if num_classes is None else num_classes,
        "in_channels": network.input_shape[0] if in_channels is None else in_channels,
    }
    for label, value in wanted.items():
        if not isinstance(value, int) or value < 1:
            raise SpecError(f"{label} must be a positive integer", where=name, got=value)
    try:
        signature(network.build).bind(**wanted, **options)
    except TypeError as error:
        known = [key for key in signature(network.build).parameters if key not in wanted]
        raise SpecError(str(error), where=name, expected=f"options {known}") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network.build(**wanted, **options)
