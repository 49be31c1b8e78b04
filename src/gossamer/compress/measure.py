"""Parameters, nonzeros, distinct values and MACs of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.layers import WEIGHTED
from gossamer.counts import conv2d_macs, linear_macs


@dataclass(frozen=True)
class LayerMeasurement:
    """One convolution or linear layer.

    Args:
        name: of the module.
        weights: entries of the weight tensor.
        nonzeros: those that are not exactly zero.
        distinct_values: different values among the nonzeros.
        macs: for one image; 0 if the layer did not run.
        effective_macs: those whose weight is not zero.
    """

    name: str
    weights: int
    nonzeros: int
    distinct_values: int
    macs: int
    effective_macs: int


@dataclass(frozen=True)
class Measurement:
    """A whole network.

    Args:
        parameters: all learned numbers, biases and norms included.
        layers: one record a convolution or linear layer.
    """

    parameters: int
    layers: tuple[LayerMeasurement, ...]

    @property
    def weights(self) -> int:
        """Entries of all weight tensors."""
        return sum(layer.weights for layer in self.layers)

    @property
    def nonzeros(self) -> int:
        """Weights that are not exactly zero."""
        return sum(layer.nonzeros for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """Fraction of weights that are zero, 0…1."""
        return 1 - self.nonzeros / self.weights if self.weights else 0.0

    @property
    def distinct_values(self) -> int:
        """Different nonzero values in the layer that has most of them."""
        return max((layer.distinct_values for layer in self.layers), default=0)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def effective_macs(self) -> int:
        """Multiply-accumulates for one image whose weight is not zero."""
        return sum(layer.effective_macs for layer in self.layers)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """Rebuild from `dataclasses.asdict`."""
        return cls(data["parameters"], tuple(LayerMeasurement(**layer) for layer in data["layers"]))


def measure(model: nn.Module, example_inputs: Tensor) -> Measurement:
    """Run one image through a copy-free forward pass and count.

    Args:
        model: its mode is restored.
        example_inputs: (N, C, H, W) float32; the first image is used.

    Examples:
        >>> from gossamer.nets.create import create_model
        >>> found = measure(create_model("digits-plain"), torch.zeros(1, 1, 8, 8))
        >>> found.parameters, found.macs
        (130538, 2083456)
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, WEIGHTED)}
    uses = dict.fromkeys(layers, 0)
    hooks = [
        layer.register_forward_hook(partial(_count_uses, uses, name))
        for name, layer in layers.items()
    ]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(example_inputs[:1])
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    parameters = sum(p.numel() for p in model.parameters())
    return Measurement(parameters, tuple(_record(n, m.weight, uses[n]) for n, m in layers.items()))


def _count_uses(uses: dict[str, int], name: str, layer: nn.Module, args: Any, out: Tensor) -> None:
    """Add how often each weight of the layer is used in this call."""
    shape = tuple(layer.weight.shape)  # type: ignore[union-attr]
    macs = conv2d_macs(shape, out.shape[2:]) if out.ndim == 4 else linear_macs(shape)
    uses[name] += macs // layer.weight.numel()  # type: ignore[union-attr, operator]


def _record(name: str, weight: Tensor, uses: int) -> LayerMeasurement:
    values = weight.detach()[weight.detach() != 0]
    return LayerMeasurement(
        name=name,
        weights=weight.numel(),
        nonzeros=values.numel(),
        distinct_values=values.unique().numel(),
        macs=weight.numel() * uses,
        effective_macs=values.numel() * uses,
    )
