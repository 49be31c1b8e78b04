"""A layer's loss as a quadratic of its weights, and the best weights under a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Quadratic:
    """½ Σ (v − w)ᵀ H (v − w) over rows v of new weights, with some rows sharing one H.

    Of a layer's own output error, rows are filters, and H = 2·mean(x xᵀ) over the inputs x that a
    filter sees, one H a group. Of the whole network's loss, a row is a block of neighbouring
    weights with its own H.

    Args:
        weight: float64 (B, R, F): R rows that share a curvature, B times.
        curvature: float64 (B, F, F), positive definite.
        shape: of the layer's weight, whose entries are those of `weight` in order; the last rows
            may be filled up with zeros.
    """

    weight: Tensor
    curvature: Tensor
    shape: torch.Size

    def rows(self, values: Tensor) -> Tensor:
        """Return values of the weight's shape as (B, R, F)."""
        filled = values.new_zeros(self.weight.numel())
        filled[: values.numel()] = values.flatten()
        return filled.view(self.weight.shape)

    def whole(self, rows: Tensor) -> Tensor:
        """Return (B, R, F) in the weight's shape."""
        return rows.flatten()[: self.shape.numel()].view(self.shape)

    def loss(self, weight: Tensor) -> float:
        """Return the quadratic at weights of the layer's shape.

        Examples:
            >>> q = Quadratic(torch.ones(1, 1, 2), 2 * torch.eye(2)[None], torch.Size([1, 2]))
            >>> q.loss(torch.tensor([[1.0, 0.0]]))
            1.0
        """
        change = self.rows(weight.to(self.weight)) - self.weight
        return float((change @ self.curvature * change).sum() / 2)


def quadratic_of(
    weight: Tensor, curvature: Tensor, *, damping: float, rows: int, shape: Sequence[int]
) -> Quadratic:
    """Return a quadratic whose curvature is made positive definite.

    Args:
        weight: of the layer.
        curvature: float64 (B, F, F), positive semi-definite.
        damping: what to add to each diagonal entry, as a fraction of the diagonal's mean.
        rows: R.
        shape: of the layer's weight.
    """
    diagonal = curvature.diagonal(dim1=1, dim2=2)
    mean = diagonal.mean(1, keepdim=True)
    # An input that was never anything but zero says nothing about its weight: any number will do.
    added = (damping * mean).expand_as(diagonal) + (diagonal == 0)
    curvature = curvature + torch.diag_embed(added)
    empty = torch.zeros(len(curvature), rows, curvature.shape[1], dtype=torch.float64)
    quadratic = Quadratic(empty.to(curvature), curvature, torch.Size(shape))
    filled = quadratic.rows(weight.detach().double().to(curvature.device))
    return Quadratic(filled, curvature, quadratic.shape)


def refit(quadratic: Quadratic, mask: Tensor) -> Tensor:
    """Return the weights that minimise the quadratic among those that are zero off the mask.

    For each row with survivors S: v_S = (w H)_S (H_SS)⁻¹. One by one removals by optimal brain
    surgeon with these removals end here too, whatever their order.

    Args:
        quadratic: of a layer.
        mask: of the layer's shape, True where a weight may be nonzero.

    Examples:
        >>> h = torch.tensor([[[2.0, 1.0], [1.0, 2.0]]]).double()
        >>> q = Quadratic(torch.ones(1, 1, 2).double(), h, torch.Size([1, 2]))
        >>> refit(q, torch.tensor([[True, False]]))
        tensor([[1.5000, 0.0000]], dtype=torch.float64)
    """
    wanted = quadratic.weight @ quadratic.curvature
    result = torch.zeros_like(quadratic.weight)
    alive = quadratic.rows(mask.to(quadratic.weight.device))
    for b, curvature in enumerate(quadratic.curvature):
        for r, row in enumerate(alive[b]):
            kept = row.nonzero().flatten()
            if len(kept) == len(row):
                result[b, r] = quadratic.weight[b, r]
            elif len(kept):
                factor = torch.linalg.cholesky(curvature[kept][:, kept])
                target = wanted[b, r, kept, None]
                result[b, r, kept] = torch.cholesky_solve(target, factor)[:, 0]
    return quadratic.whole(result)


def inverse(curvature: Tensor) -> Tensor:
    """Return H⁻¹ of positive definite (…, F, F)."""
    return torch.cholesky_inverse(torch.linalg.cholesky(curvature))
