"""Giving the outputs of layers the means and deviations back that they had in the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.evaluating import evaluating
from gossamer.compress.layers import WEIGHTED
from gossamer.compress.norms import likely_augment, reestimate_norms
from gossamer.train.data import Split

_BATCH = 128
_MOST = 4.0
"""Deviations are brought back by this factor at most: a channel that has died stays so."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Of a layer's outputs over pictures and pixels: one number a channel, float64 (K,)."""

    mean: Tensor
    deviation: Tensor


def match_statistics(
    model: nn.Module,
    parent: nn.Module,
    split: Split,
    *,
    scale: bool = True,
    names: Sequence[str] | None = None,
    images: int = 256,
    augment: str | None = None,
    seed: int = 0,
) -> list[str]:
    """Give each output channel of each layer the mean and deviation that it had in the parent.

    y becomes (y − mean)·(parent's deviation / deviation) + parent's mean, by rows of the weight and
    by the bias; layer after layer in the order in which they run, so that errors do not pile up;
    the statistics of batch norms, which follow from that, are estimated anew in between. A layer
    without a bias has its mean scaled. Zeros stay zero; with `scale`, values that were shared or
    quantised do not stay so.

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    2019, for means; Frantar & Alistarh, "Optimal Brain Compression", 2022, for both, in networks
    without batch norms.

    Args:
        model: changed in place; in its own mode afterwards.
        parent: with layers of the same names; those of other shapes are left out.
        split: where the images are drawn from, without augmentation.
        scale: whether deviations are matched too.
        names: of the layers; all unless given.
        images: how many, at most.
        augment: of the images for norms; what the parent's tell unless given (`likely_augment`).
        seed: of the draw.

    Returns:
        The names of the layers that were matched.
    """
    layers = _pairs(model, parent, names)
    order = np.random.default_rng(seed).permutation(len(split))[:images]
    batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    wanted = moments(parent, layers, split, batches)
    matched = []
    if augment is None:
        augment = likely_augment(parent, split, seed=seed)
    for name in wanted:  # in the order in which they run
        layer = model.get_submodule(name)
        if not scale and layer.bias is None:
            continue
        reestimate_norms(model, split, augment=augment, seed=seed)
        found = moments(model, [name], split, batches).get(name)
        if found is not None:
            _match(layer, found, wanted[name], scale=scale)
            matched.append(name)
    return matched


def moments(
    model: nn.Module, names: Sequence[str], split: Split, batches: Sequence[np.ndarray]
) -> dict[str, Moments]:
    """Return name → moments of the outputs, in the order in which the layers run first."""
    sums: dict[str, Tensor] = {}

    def add(name: str, module: Any, args: Any, out: Tensor) -> None:
        values = out.detach().double().transpose(0, 1).flatten(1)
        count = torch.full((len(values),), values.shape[1], dtype=torch.float64)
        found = torch.stack([count, values.sum(1).cpu(), values.square().sum(1).cpu()])
        sums[name] = sums.get(name, torch.zeros_like(found)) + found

    with evaluating(model), torch.no_grad():
        hooks = [
            model.get_submodule(name).register_forward_hook(partial(add, name)) for name in names
        ]
        try:
            for indices in batches:
                model(split.batch(indices)[0])
        finally:
            for hook in hooks:
                hook.remove()
    return {name: _moments(found) for name, found in sums.items()}


def _moments(sums: Tensor) -> Moments:
    count, total, squares = sums
    mean = total / count
    return Moments(mean, (squares / count - mean**2).clamp(min=0).sqrt())


def _match(layer: nn.Module, found: Moments, wanted: Moments, *, scale: bool) -> None:
    weight, bias = layer.weight, layer.bias
    factor = torch.ones_like(found.mean)
    if scale:
        alive = found.deviation > 1e-6 * wanted.deviation.clamp(min=1e-12)
        ratio = wanted.deviation / found.deviation.clamp(min=1e-30)
        factor = torch.where(alive, ratio.clamp(1 / _MOST, _MOST), factor)
    with torch.no_grad():
        rows = factor.view(-1, *(1,) * (weight.ndim - 1))  # type: ignore[operator, union-attr]
        weight.mul_(rows.to(weight))  # type: ignore[operator, union-attr]
        if bias is not None:
            moved = (bias.double() - found.mean) * factor + wanted.mean  # type: ignore[operator, union-attr]
            bias.copy_(moved)  # type: ignore[operator, union-attr]


def _pairs(model: nn.Module, parent: nn.Module, names: Sequence[str] | None) -> list[str]:
    """Return the names of layers that both have, of equal shapes."""
    before: Mapping[str, nn.Module] = dict(parent.named_modules())
    return [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, WEIGHTED)
        and (names is None or name in names)
        and isinstance(other := before.get(name), WEIGHTED)
        and other.weight.shape == layer.weight.shape
    ]
