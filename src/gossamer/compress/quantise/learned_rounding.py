"""Rounding up or down as a layer's outputs want it, rather than to the nearest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gossamer.compress.prune.curvature.quadratic import Quadratic
from gossamer.compress.quantise.grid import to_grid

_ZETA, _GAMMA = 1.1, -0.1
_WARM_UP = 0.2
_SHARPEST, _SOFTEST = 20.0, 2.0
_RATE = 0.05
_WEIGHT = 0.3
"""Of the choice, where the loss of nearest rounding is one."""


def learn_rounding(quadratic: Quadratic, scales: Tensor, largest: int, *, steps: int) -> Tensor:
    """Return a layer's weight on the grid, with the least loss that was found.

    Each weight lies between two multiples of its scale s. Which one it becomes is a variable h in
    0…1, found by gradients of the quadratic at s·(⌊w/s⌋ + h(v)) and of 1 − |2h − 1|^β, which makes
    h choose, with β falling from 20 to 2; h is a stretched sigmoid, clipped. Rows for which nearest
    rounding turns out better are rounded so. At last single weights go the other way, the best
    first, as long as that lowers the loss. Zeros stay zeros.

    Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization" (AdaRound),
    2020, equations 21 to 24. They draw inputs; we use their second moments, which give the same sum
    over all of them at once. They let each layer see the inputs that the rounded layers before it
    give, and its activation; here a layer sees the inputs of the network as it was. The last step
    is ours.

    Args:
        quadratic: of the layer's output error, rows filters.
        scales: (K,) of the grid.
        largest: integer.
        steps: of Adam, ≥ 1.
    """
    weight, curvature = quadratic.weight.float(), quadratic.curvature.float()
    scale = scales.to(weight).view(*weight.shape[:2], 1)
    nearest = quadratic.rows(to_grid(quadratic.whole(weight), scales, largest))

    def losses(candidate: Tensor) -> Tensor:
        change = candidate - weight
        return (change @ curvature * change).sum(2)

    down = (weight / scale).floor()
    unit = losses(nearest).clamp(min=torch.finfo(torch.float32).tiny)

    def rounded(up: Tensor) -> Tensor:
        return ((down + up).clamp(-largest, largest) * scale).masked_fill(weight == 0, 0.0)

    up = _learn(weight / scale - down, lambda h: (losses(rounded(h)) / unit).mean(), steps)
    learned = rounded(up)
    better = (losses(learned) < losses(nearest))[..., None]
    best = torch.where(better, learned, nearest)
    return quadratic.whole(_polished(best, quadratic, scale, largest))


def _learn(rest: Tensor, loss: Callable[[Tensor], Tensor], steps: int) -> Tensor:
    """Return 1 where to round up and 0 where down."""
    inner = ((rest - _GAMMA) / (_ZETA - _GAMMA)).clamp(1e-4, 1 - 1e-4)
    v = inner.logit().requires_grad_()
    optimiser = torch.optim.Adam([v], lr=_RATE)
    for step in range(steps):
        h = (v.sigmoid() * (_ZETA - _GAMMA) + _GAMMA).clamp(0, 1)
        total = loss(h)
        done = (step / steps - _WARM_UP) / (1 - _WARM_UP)
        if done >= 0:
            power = _SHARPEST + (_SOFTEST - _SHARPEST) * done
            total = total + _WEIGHT * (1 - (2 * h - 1).abs().pow(power)).sum(2).mean()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    return (v.detach() >= 0).float()


def _polished(start: Tensor, quadratic: Quadratic, scale: Tensor, largest: int) -> Tensor:
    """Return weights from which no single one can go to its other neighbour and lower the loss."""
    weight, curvature = quadratic.weight.float(), quadratic.curvature.float()
    rounded = start.clone()
    slope = (rounded - weight) @ curvature
    diagonal = curvature.diagonal(dim1=1, dim2=2)[:, None]
    for _ in range(2 * weight.shape[2]):
        other = torch.where(rounded > weight, rounded - scale, rounded + scale)
        is_free = (weight != 0) & (other.abs() <= (largest + 0.5) * scale)
        change = (other - rounded) * is_free
        gain = change * (2 * slope + change * diagonal)
        least, place = gain.min(2, keepdim=True)
        move = change.gather(2, place) * (least < -1e-6 * diagonal.mean() * scale**2)
        if not move.any():
            break
        rounded.scatter_add_(2, place, move)
        rows = curvature.gather(1, place.expand(-1, -1, curvature.shape[2]))
        slope += move * rows
    return (rounded / scale).round() * scale
