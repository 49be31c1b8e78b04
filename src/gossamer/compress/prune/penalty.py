"""Penalties on weights, as steps: what minimises distance plus penalty, or moves against its slope.

A penalty acts after the optimiser's own step, by the learning rate times its strength, apart from
momentum and from the scaling of adaptive optimisers, as decoupled weight decay does. That is what
makes exact zeros: a subgradient in the loss never gives any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Shrink = Callable[[Tensor, float], Tensor]
"""Weight (K, C, R, S) or (K, F) and t = learning rate · strength → weight."""


def shrink_l1(weight: Tensor, t: float) -> Tensor:
    """Return sgn(w)·max(|w| − t, 0), which minimises ½(v − w)² + t·|v|.

    Examples:
        >>> shrink_l1(torch.tensor([3.0, -0.5, -2.0]), 1.0)
        tensor([ 2., -0., -1.])
    """
    return weight.sign() * (weight.abs() - t).clamp(min=0)


def shrink_l2(weight: Tensor, t: float) -> Tensor:
    """Return w/(1 + t), which minimises ½(v − w)² + t·½v²; no zeros come of it."""
    return weight / (1 + t)


def shrink_groups(weight: Tensor, t: float, axes: tuple[int, ...]) -> Tensor:
    """Return w_g·max(0, 1 − t·√|g|/‖w_g‖) for the groups that run along the axes.

    It minimises ½‖v − w‖² + t·Σ √|g|·‖v_g‖ (group lasso, Yuan & Lin 2006). The source of its use on
    kernels, Wen et al. 2016, leaves √|g| out.
    """
    size = torch.tensor([weight.shape[axis] for axis in axes]).prod().item()
    norm = weight.square().sum(axes, keepdim=True).sqrt()
    return weight * (1 - t * size**0.5 / norm.clamp(min=1e-30)).clamp(min=0)


def shrink_filters(weight: Tensor, t: float) -> Tensor:
    """Return `shrink_groups` with a filter a group."""
    return shrink_groups(weight, t, tuple(range(1, weight.ndim)))


def shrink_channels(weight: Tensor, t: float) -> Tensor:
    """Return `shrink_groups` with an input channel a group."""
    return shrink_groups(weight, t, (0, *range(2, weight.ndim)))


def shrink_shapes(weight: Tensor, t: float) -> Tensor:
    """Return `shrink_groups` with one place (c, r, s) of all filters a group."""
    return shrink_groups(weight, t, (0,))


def shrink_hoyer(weight: Tensor, t: float) -> Tensor:
    """Return w − t·∂HS/∂w of Hoyer-square HS = (Σ|w|)²/Σw², zero where that would change the sign.

    Weights above Σw²/Σ|w| grow, those below shrink; HS does not change with the weight's scale.

    Source: Yang, Wen & Li, "DeepHoyer", 2020. They threshold after training instead.
    """
    moved = weight - t * hoyer_square_slope(weight)
    return moved * (moved.sign() == weight.sign())


def hoyer_square(weight: Tensor) -> Tensor:
    """Return (Σ|w|)²/Σw², 1…n: n for equal sizes, about the count of nonzeros.

    Examples:
        >>> hoyer_square(torch.tensor([2.0, -2.0, 0.0]))
        tensor(2.)
    """
    return weight.abs().sum().square() / weight.square().sum().clamp(min=1e-30)


def hoyer_square_slope(weight: Tensor) -> Tensor:
    """Return ∂HS/∂w = 2·sgn(w)·(Σ|w|/Σw²)·(1 − |w|·Σ|w|/Σw²)."""
    share = weight.abs().sum() / weight.square().sum().clamp(min=1e-30)
    return 2 * weight.sign() * share * (1 - weight.abs() * share)


def hoyer_sparsity(weight: Tensor) -> float:
    """Return (√n − ‖w‖₁/‖w‖₂)/(√n − 1), 0 for equal sizes, 1 for a single nonzero; n ≥ 2.

    Source: Hoyer, "Non-negative Matrix Factorization with Sparseness Constraints", 2004.

    Examples:
        >>> round(hoyer_sparsity(torch.tensor([3.0, 4.0, 0.0, 0.0])), 6)
        0.6
    """
    root = weight.numel() ** 0.5
    return float((root - weight.abs().sum() / weight.norm()) / (root - 1))


PENALTIES: Mapping[str, Shrink] = {
    "l1": shrink_l1,
    "l2": shrink_l2,
    "group-lasso-filter": shrink_filters,
    "group-lasso-channel": shrink_channels,
    "group-lasso-shape": shrink_shapes,
    "hoyer-square": shrink_hoyer,
}
"""By the names that the pass `penalise` takes."""
