"""Fitting the layers one after the other to what they gave before anything was removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.inputs import DAMPING, seen_inputs
from gossamer.compress.prune.curvature.quadratic import Quadratic, refit
from gossamer.compress.prune.mask import apply_masks


def fit_outputs(
    layers: Layers,
    masks: Mapping[str, Tensor],
    evidence: Evidence,
    *,
    damping: float = DAMPING,
    parent: nn.Module | None = None,
) -> None:
    """Give the survivors the values that bring each layer's outputs back, in place.

    In the order in which the layers run: v minimises mean ‖V x̂ − W x‖² under its mask, where x is
    what the layer saw in the network as it came in and x̂ what it sees now that those before it are
    pruned, so that errors do not pile up. Costs one walk over the pictures a layer.

    Source: the layer-wise reconstruction of Hubara et al., "Accelerated Sparse Neural Training"
    (AdaPrune), 2021, in closed form.

    Args:
        layers: by name.
        masks: by the same names, True where a weight may be nonzero.
        evidence: with data.
        damping: added to the diagonal of the second moments, as a fraction of its mean.
        parent: the network whose outputs are fitted, with layers of the same shapes; the evidence's
            model as it comes in unless given.
    """
    dense = deepcopy(evidence.model if parent is None else parent)
    apply_masks(layers, masks)
    with torch.no_grad():
        for name in _running_order(layers, evidence):
            layer = layers[name]
            before = dense.get_submodule(name)
            assert isinstance(before, nn.Conv2d | nn.Linear)
            quadratic = _quadratic(layer, before, dense, evidence, damping)
            layer.weight.copy_(refit(quadratic, masks[name]).to(layer.weight))


def _running_order(layers: Layers, evidence: Evidence) -> list[str]:
    """Return the names of the layers by their first call; those that are not called at the end."""
    called: dict[str, None] = {}

    def note(name: str, *_: Any) -> None:
        called.setdefault(name)

    hooks = [layer.register_forward_pre_hook(partial(note, name)) for name, layer in layers.items()]
    try:
        with evidence.evaluating() as model:
            images, _ = next(evidence.batches(1))
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return [*called, *(name for name in layers if name not in called)]


def _quadratic(
    layer: nn.Conv2d | nn.Linear,
    before: nn.Conv2d | nn.Linear,
    dense: nn.Module,
    evidence: Evidence,
    damping: float,
) -> Quadratic:
    """Return mean ‖V x̂ − W x‖² as a quadratic around the V that has no mask."""
    moment, mixed = 0, 0
    for x, now in _pairs(layer, before, dense, evidence):
        moment = moment + (now @ now.transpose(1, 2)).double()
        mixed = mixed + (x @ now.transpose(1, 2)).double()
    if not isinstance(moment, Tensor):  # a layer that does not run keeps its weights
        moment = mixed = _ones_of(layer)
    groups, size, _ = moment.shape
    weight = before.weight.detach().double().view(groups, -1, size)
    diagonal = moment.diagonal(dim1=1, dim2=2)
    added = damping * diagonal.mean(1, keepdim=True) + (diagonal == 0)
    moment = moment + torch.diag_embed(added.expand_as(diagonal))
    # Damping pulls towards the weights that were there, not towards zero.
    target = weight @ (mixed + torch.diag_embed(added.expand_as(diagonal)))
    best = torch.linalg.solve(moment, target.transpose(1, 2)).transpose(1, 2)
    scale = 2 / evidence.count
    return Quadratic(best.contiguous(), scale * moment, layer.weight.shape)


def _ones_of(layer: nn.Conv2d | nn.Linear) -> Tensor:
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    one = torch.eye(layer.weight[0].numel(), dtype=torch.float64, device=layer.weight.device)
    return one.expand(groups, -1, -1)


def _pairs(
    layer: nn.Module, before: nn.Module, dense: nn.Module, evidence: Evidence
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what both layers see of each batch."""
    seen: dict[str, Tensor] = {}

    def keep(key: str, module: Any, args: tuple[Any, ...]) -> None:
        own = seen_inputs(module, args[0].detach())
        seen[key] = own if key not in seen else torch.cat([seen[key], own], 2)

    hooks = [
        layer.register_forward_pre_hook(partial(keep, "now")),
        before.register_forward_pre_hook(partial(keep, "x")),
    ]
    try:
        with evidence.evaluating() as model:
            dense.eval()
            for images, _ in evidence.batches():
                seen.clear()
                model(images)
                dense(images)
                if seen:
                    yield seen["x"], seen["now"]
    finally:
        for hook in hooks:
            hook.remove()
