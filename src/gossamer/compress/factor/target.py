"""A layer that is to become a chain, and which layers can."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.chains import replace_module
from gossamer.compress.evaluating import evaluating
from gossamer.compress.factor.stage import Pair, Stage, Stages, chain_macs
from gossamer.compress.quantise.layers import RoundedInput, can_round
from gossamer.graph.ops import Quantise

Layers = Mapping[str, nn.Conv2d | nn.Linear]


@dataclass(frozen=True, eq=False)
class Target:
    """One layer and what a decomposition may know of it.

    Args:
        layer: convolution or linear.
        sizes: height and width of what it is given, one a call; of a linear layer (positions, 1).
        moment: mean of x xᵀ over all places, float64 (G, F, F), where x is what a filter sees;
            None without data.
        seed: of random starts.
    """

    layer: nn.Conv2d | nn.Linear
    sizes: tuple[Pair, ...]
    moment: Tensor | None = None
    seed: int = 0

    @cached_property
    def stage(self) -> Stage:
        """Return its shape."""
        return Stage.like(self.layer)

    @property
    def levels(self) -> Quantise | None:
        """Return to what it rounds its input, None if it does not."""
        return self.layer.levels if isinstance(self.layer, RoundedInput) else None

    @property
    def groups(self) -> int:
        """Return G."""
        return self.stage.groups

    @property
    def taps(self) -> Pair:
        """Return R×S, 1×1 of a linear layer."""
        return self.stage.kernel or (1, 1)

    @cached_property
    def weight(self) -> Tensor:
        """Return its weight by groups, float64 (G, K/G, C/G, R, S)."""
        kernels, channels = self.stage.weight_shape[:2]
        shape = (self.groups, kernels // self.groups, channels, *self.taps)
        return self.layer.weight.detach().double().view(shape)

    @property
    def matrix(self) -> Tensor:
        """Return its weight as matrices, float64 (G, K/G, F)."""
        return self.weight.flatten(2)

    @property
    def places(self) -> int:
        """Return how often its weight is used for one image."""
        return self.macs((self.stage,)) // self.stage.weights

    def macs(self, stages: Stages) -> int:
        """Return the MACs of stages in its place, for one image."""
        return sum(chain_macs(stages, size) for size in self.sizes)

    def keep_dead(self, stages: Stages, weights: list[Tensor]) -> list[Tensor]:
        """Return weights of a chain without rounding errors where the layer's are all zero.

        Args:
            stages: whose first reads the layer's inputs and whose last gives its outputs.
            weights: of each stage, in shapes that start with K.
        """
        parts = stages[0].groups
        used = (self.weight != 0).any(dim=1).flatten(2).any(dim=2).view(parts, 1, -1, 1)
        first = weights[0].reshape(parts, stages[0].out_channels // parts, used.shape[2], -1)
        alive = (self.weight != 0).flatten(2).any(dim=2).flatten()[:, None]
        weights = [(first * used).reshape(stages[0].weight_shape), *weights[1:]]
        last = weights[-1].reshape(stages[-1].out_channels, -1) * alive
        return [*weights[:-1], last.reshape(stages[-1].weight_shape)]


def find_targets(
    model: nn.Module, layers: Layers, example_inputs: Tensor, seed: int = 0
) -> tuple[dict[str, Target], dict[str, str]]:
    """Return the layers that chains can stand for, and of the others the reason why not.

    Args:
        model: in evaluation mode.
        layers: by name.
        example_inputs: (N, C, H, W).
        seed: for the targets.
    """
    sizes = _input_sizes(model, layers, example_inputs)
    reasons = {name: _reason(model, layers[name], sizes[name]) for name in layers}
    free = [name for name, reason in reasons.items() if reason is None]
    for name in _read_by_others(model, free, example_inputs):
        reasons[name] = "its module reads more of it than its outputs"
    targets = {
        name: Target(layers[name], tuple(sizes[name]), seed=seed)
        for name, reason in reasons.items()
        if reason is None
    }
    return targets, {name: reason for name, reason in reasons.items() if reason is not None}


def _reason(model: nn.Module, layer: nn.Conv2d | nn.Linear, sizes: list[Pair]) -> str | None:
    """Return why a layer cannot be replaced, or None."""
    if layer is model:
        return "it is the whole network"
    if not can_round(layer):  # as the first of its chain would have to
        return f"it is a {type(layer).__name__}"
    if "weight" not in layer._parameters:
        return "its weight is computed"
    holders = [m for m in model.modules() if any(p is layer.weight for p in m._parameters.values())]
    if len(holders) > 1:
        return "another layer has the same weight"
    if not sizes:
        return "it does not run"
    return None if layer.weight.detach().any() else "all its weights are zero"


def _input_sizes(model: nn.Module, layers: Layers, example: Tensor) -> dict[str, list[Pair]]:
    sizes: dict[str, list[Pair]] = {name: [] for name in layers}

    def note(name: str, layer: nn.Module, args: tuple[Any, ...]) -> None:
        shape = args[0].shape
        linear = isinstance(layer, nn.Linear)
        sizes[name].append((prod(shape[1:-1]), 1) if linear else tuple(shape[-2:]))

    hooks = [m.register_forward_pre_hook(partial(note, name)) for name, m in layers.items()]
    try:
        _run(model, example)
    finally:
        for hook in hooks:
            hook.remove()
    return sizes


def _read_by_others(model: nn.Module, names: list[str], example: Tensor) -> list[str]:
    """Return the layers without which, as such, the model does not run."""
    if _runs_with_chains(model, names, example):
        return []
    return [name for name in names if not _runs_with_chains(model, [name], example)]


def _runs_with_chains(model: nn.Module, names: list[str], example: Tensor) -> bool:
    copy = deepcopy(model)
    for layer in [copy.get_submodule(name) for name in names]:
        replace_module(copy, layer, nn.Sequential(layer))
    try:
        _run(copy, example)
    except Exception:  # whatever the model's code raises when it finds another module
        return False
    return True


def _run(model: nn.Module, example: Tensor) -> None:
    with evaluating(model), torch.no_grad():
        model(example[:1])
