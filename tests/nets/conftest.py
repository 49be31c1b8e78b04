"""What the tests of all families share: networks without memory, and their exact costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
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

    counted = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in counted]
    with torch.no_grad():
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


@pytest.fixture(scope="session")
def torchvision() -> Iterator[Any]:
    """Give torchvision's models; built for another torch it lacks two operators: declare them."""
    if find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    library = torch.library.Library("torchvision", "DEF")
    try:
        models = import_module("torchvision.models")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        models = import_module("torchvision.models")
    yield models
    del library  # it must live as long as the tests
