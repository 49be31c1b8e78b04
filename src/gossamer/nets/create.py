"""Build a network from its name."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.external import create_external, is_external
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
        name: a key of `gossamer.nets.registry.NETWORKS`, or "torchvision:NAME" or "timm:NAME" for a
            network of one of these libraries (see `gossamer.nets.external`).
        num_classes: length of the output, ≥ 1; the network's own unless given.
        in_channels: C of the input, ≥ 1; the network's own unless given.
        seed: of the initial weights; the same seed gives the same weights.
        **options: what else the family can vary.

    Returns:
        A module from (N, C, H, W) float32 to logits (N, num_classes).

    Raises:
        UnknownNameError: if there is no such network.
        MissingDependencyError: if the library is asked for and not installed.
        SpecError: if the network does not have such an option, or a value is out of range.

    Examples:
        >>> model = create_model("digits-plain", num_classes=3)
        >>> model(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 3])
    """
    for label, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise SpecError(f"{label} must be a positive integer", where=name, got=value)
    if not isinstance(seed, int) or not -(2**63) <= seed < 2**64:
        raise SpecError("the seed is not an integer of 64 bits", where=name, got=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if is_external(name):
            return create_external(name, num_classes, in_channels, options)
        network: Network = NETWORKS[name]
        wanted = {
            "num_classes": num_classes or network.num_classes,
            "in_channels": in_channels or network.input_shape[0],
        }
        _check_options(network, wanted, options)
        try:
            return network.build(**wanted, **options)
        except SpecError:
            raise
        except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
            raise SpecError(
                "the network cannot be built with these options",
                where=network.name,
                got={**wanted, **options},
                hint=str(error).partition("\n")[0],
            ) from error


def _check_options(network: Network, wanted: dict[str, int], options: dict[str, Any]) -> None:
    """Raise SpecError if the family cannot vary what is asked for."""
    try:
        signature(network.build).bind(**wanted, **options)
    except TypeError as error:
        known = [key for key in signature(network.build).parameters if key not in wanted]
        raise SpecError(str(error), where=network.name, expected=f"options {known}") from None
