"""The curvature of a layer's own output error: the second moments of its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, unfold

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.collect import chunks
from gossamer.compress.prune.curvature.quadratic import Quadratic, quadratic_of
from gossamer.compress.quantise.layers import RoundedInput, SignInput

DAMPING = 1e-3


def input_quadratics(
    layers: Layers, evidence: Evidence, *, damping: float = DAMPING
) -> Iterator[tuple[str, Quadratic]]:
    """Yield for each layer mean ‖(V − W) x‖² over pictures, H = 2·Σ x xᵀ / pictures.

    x is what a filter sees at one place: a column of the unfolded input of the network as it is
    now; all places of a picture count. Layers without a call get a curvature of ones.

    Source: Frantar & Alistarh, "Optimal Brain Compression", 2022, section 3.

    Args:
        layers: by name.
        evidence: with data.
        damping: added to the diagonal, as a fraction of its mean.
    """
    sizes = {name: _groups(layer) * _fan_in(layer) ** 2 for name, layer in layers.items()}
    for chunk in chunks(layers, sizes):
        moments = second_moments(chunk, evidence)
        for name, layer in chunk.items():
            moment = moments.pop(name) / evidence.count
            yield name, input_quadratic(layer, moment, damping=damping)


def input_quadratic(
    layer: nn.Conv2d | nn.Linear, moment: Tensor, *, damping: float = DAMPING
) -> Quadratic:
    """Return mean ‖(V − W) x‖² of one layer.

    Args:
        layer: with its weights W.
        moment: Σ x xᵀ over all places, a picture: float64 (G, F, F).
        damping: added to the diagonal of H = 2·moment, as a fraction of its mean.
    """
    rows, shape = layer.weight.shape[0] // _groups(layer), layer.weight.shape
    return quadratic_of(layer.weight, 2 * moment, damping=damping, rows=rows, shape=shape)


def second_moments(layers: Layers, evidence: Evidence) -> dict[str, Tensor]:
    """Return Σ x xᵀ over everything that each layer sees, float64 (G, F, F)."""
    sums = {
        name: torch.zeros(
            _groups(layer), _fan_in(layer), _fan_in(layer),
            dtype=torch.float64, device=layer.weight.device,
        )
        for name, layer in layers.items()
    }  # fmt: skip
    hooks = [
        layer.register_forward_pre_hook(partial(_add, sums[name])) for name, layer in layers.items()
    ]
    try:
        with evidence.evaluating() as model, torch.no_grad():
            for images, _ in evidence.batches():
                model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return sums


def _add(total: Tensor, layer: nn.Conv2d | nn.Linear, args: tuple[Any, ...]) -> None:
    x = seen_inputs(layer, args[0].detach())
    total += (x @ x.transpose(1, 2)).double()


def seen_inputs(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    """Return what the filters of each group see, (G, F, N·places), F in the order C/G, R, S.

    Args:
        layer: what it rounds or reads the sign of is so in what its filters see.
        x: what the layer is given.

    Examples:
        >>> seen_inputs(nn.Conv2d(4, 2, 3, groups=2), torch.zeros(5, 4, 8, 8)).shape
        torch.Size([2, 18, 180])
    """
    if isinstance(layer, RoundedInput | SignInput):
        x = layer.read(x)
    if isinstance(layer, nn.Linear):
        return x.reshape(1, -1, x.shape[-1]).transpose(1, 2)
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        x, padding = pad(x, *_outer_padding(layer)), (0, 0)
    else:
        padding = layer.padding
    columns = unfold(x, layer.kernel_size, layer.dilation, padding, layer.stride)
    n, _, places = columns.shape
    grouped = columns.view(n, layer.groups, -1, places)
    return grouped.permute(1, 2, 0, 3).reshape(layer.groups, -1, n * places)


def _outer_padding(layer: nn.Conv2d) -> tuple[list[int], str]:
    """Return the arguments of `pad` for paddings that `unfold` does not know."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return list(layer._reversed_padding_repeated_twice), mode


def _groups(layer: nn.Conv2d | nn.Linear) -> int:
    return layer.groups if isinstance(layer, nn.Conv2d) else 1


def _fan_in(layer: nn.Conv2d | nn.Linear) -> int:
    return layer.weight.shape[1:].numel()
