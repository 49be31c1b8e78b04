"""One sweep over the columns, all rows at a time: prune and compensate as SparseGPT does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gossamer.compress.prune.curvature.quadratic import Quadratic, inverse

Choose = Callable[[Tensor, Tensor], Tensor]
"""Scores (R, n) of some columns, and which columns (n,) → mask (R, n), True where it stays."""


def sweep(
    quadratic: Quadratic, choose: Choose, *, order: Tensor | None = None, widths: list[int]
) -> Tensor:
    """Return weights of the layer's shape with the zeros that `choose` wants.

    Columns are walked once. With U upper triangular, UᵀU = H⁻¹, a weight costs w²/(2·U_jj²) when it
    goes, and what remains of the row right of it is moved by −(w/U_jj)·U_j. The mask of some
    columns is chosen when the walk reaches them, from weights as they are then.

    Source: Frantar & Alistarh, "SparseGPT", 2023, algorithm 1. They shift later columns in one
    product a block, which is the same sum in another order.

    Args:
        quadratic: of a layer, rows filters.
        choose: what stays.
        order: of the columns; as they stand unless given.
        widths: how many columns' masks are chosen together, one after the other.
    """
    if order is None:
        order = torch.arange(quadratic.weight.shape[2])
    result = torch.empty_like(quadratic.weight)
    for b, curvature in enumerate(quadratic.curvature):
        upper = torch.linalg.cholesky(inverse(curvature[order][:, order]), upper=True)
        weight = quadratic.weight[b][:, order]
        for start, stop in _spans(widths):
            columns = slice(start, stop)
            scores = (weight[:, columns] / upper.diagonal()[columns]).square()
            _walk(weight, upper, start, choose(scores, order[columns]))
        result[b][:, order] = weight
    return quadratic.whole(result)


def _walk(weight: Tensor, upper: Tensor, start: int, mask: Tensor) -> None:
    """Zero the columns from `start` where the mask says so, and move everything right of them."""
    for i in range(mask.shape[1]):
        j = start + i
        error = weight[:, j].masked_fill(mask[:, i], 0.0) / upper[j, j]
        weight[:, j:] -= torch.outer(error, upper[j, j:])
        weight[:, j].masked_fill_(~mask[:, i], 0.0)


def _spans(widths: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for width in widths:
        yield start, start + width
        start += width
