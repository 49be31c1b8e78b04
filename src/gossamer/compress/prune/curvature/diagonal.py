"""The diagonal of the Hessian by double backward: exactly, and by random signs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def exact_diagonal(loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Return ∂²E/∂w² of each weight, as e_kᵀ H e_k: one backward pass a number.

    Args:
        loss: a scalar with its graph.
        weights: what it depends on.

    Examples:
        >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> exact_diagonal((w**3).sum() + w.prod(), [w])
        [tensor([ 6., 12.])]
    """
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    diagonals = [torch.zeros_like(weight) for weight in weights]
    for gradient, weight, diagonal in zip(gradients, weights, diagonals, strict=True):
        for k, entry in enumerate(gradient.flatten()):
            row = torch.autograd.grad(entry, weight, retain_graph=True, allow_unused=True)[0]
            if row is not None:
                diagonal.flatten()[k] = row.flatten()[k]
    return diagonals


def hutchinson_diagonal(
    loss: Tensor, weights: Sequence[Tensor], *, probes: int, generator: torch.Generator
) -> list[Tensor]:
    """Return an unbiased estimate of the diagonal: the mean of v ⊙ Hv over random signs v.

    Source: Bekas, Kokiopoulou & Saad, "An estimator for the diagonal of a matrix", 2007.

    Args:
        loss: a scalar with its graph.
        weights: what it depends on.
        probes: sign vectors, ≥ 1.
        generator: of the signs, on the CPU.
    """
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    diagonals = [torch.zeros_like(weight) for weight in weights]
    for _ in range(probes):
        signs = [(2 * torch.randint(2, w.shape, generator=generator) - 1).to(w) for w in weights]
        products = torch.autograd.grad(gradients, weights, signs, retain_graph=True)
        for diagonal, sign, product in zip(diagonals, signs, products, strict=True):
            diagonal += sign * product / probes
    return diagonals
