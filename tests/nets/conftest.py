"""What the tests of all families share: networks without memory, and their exact costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from gossamer.counts import conv2d_macs, linear_macs
from gossamer.nets.create import create_model


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def macs(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """Return the MACs of one image of shape (C, H, W); the model must be on the meta device."""
    total = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += conv2d_macs(layer.weight.shape, output.shape[2:])
        elif isinstance(layer, nn.Linear):
            total += linear_macs(layer.weight.shape)

    hooks = [layer.register_forward_hook(count) for layer in model.modules()]
    model.eval()(torch.zeros(1, *shape, device="meta"))
    for hook in hooks:
        hook.remove()
    return total


@pytest.fixture
def on_meta() -> Callable[..., nn.Module]:
    """Build a network by name and options whose tensors have shapes but no numbers."""

    def build(name: str, **options: Any) -> nn.Module:
        with torch.device("meta"):
            return create_model(name, **options)

    return build


@pytest.fixture
def cost() -> Callable[[nn.Module, tuple[int, int, int]], tuple[int, int]]:
    """Return (parameters, MACs for one image) of a network on the meta device."""
    return lambda model, shape: (parameters(model), macs(model, shape))
