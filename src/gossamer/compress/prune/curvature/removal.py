"""Optimal brain surgeon, one removal after the other: the order, and what each one costs."""

from __future__ import annotations

import torch
from torch import Tensor

from gossamer.compress.prune.curvature.quadratic import Quadratic, inverse
from gossamer.compress.prune.granularity import Granularity


def removal_scores(quadratic: Quadratic, granularity: Granularity) -> Tensor:
    """Return how much must be paid, at most in one step, before each weight goes.

    In each row the unit with the smallest loss ½ w_Qᵀ ([H⁻¹]_QQ)⁻¹ w_Q is removed, the others are
    moved to where that costs least, and so on. The score is the running maximum of these losses,
    for each weight of the unit: below a threshold lies what a heap over all rows would have
    removed with steps up to that threshold, so that ranking scores over rows and layers *is* the
    global mask of the source. Rows of one block share a mask, so their losses add up.

    Weights that are zero already are removed first, at no cost. Under N:M what must stay has an
    infinite score.

    Source: Hassibi & Stork, "Second order derivatives for network pruning", 1993; Frantar &
    Alistarh, "Optimal Brain Compression", 2022, algorithms 1 and 2.

    Args:
        quadratic: of a layer.
        granularity: blocks of columns, rows or both, or N:M where rows are filters.

    Returns:
        float64, of the layer's shape.
    """
    columns = _column_units(quadratic, granularity)
    room = granularity.of - granularity.keep if granularity.keep else 0
    scores = torch.full_like(quadratic.weight, torch.inf)
    height = min(granularity.rows, quadratic.weight.shape[1])
    for b, curvature in enumerate(quadratic.curvature):
        inverted = inverse(curvature)
        for top in range(0, quadratic.weight.shape[1], height):
            rows = quadratic.weight[b, top : top + height]
            order, losses = removal_trace(rows, inverted, columns, room)
            _write(scores[b, top : top + height], columns, order, losses, bool(room))
    return quadratic.whole(scores)


def removal_trace(
    weight: Tensor, inverted: Tensor, units: Tensor, room: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the units in the order of their removal and the loss of each.

    Args:
        weight: float64 (R, F): rows with one mask.
        inverted: float64 (F, F), H⁻¹.
        units: int64 (F,), the unit of each column, 0… in order; with `room`, the group of N:M.
        room: columns that may go from each group; 0: units are removed whole, and all of them.

    Examples:
        >>> order, losses = removal_trace(
        ...     torch.tensor([[3.0, 1.0]]), torch.eye(2), torch.tensor([0, 1]))
        >>> order.tolist(), losses.tolist()
        ([1, 0], [0.5, 4.5])
    """
    run = _Removal(weight, inverted, units, room)
    while run.is_left:
        run.step()
    return torch.tensor(run.order), torch.tensor(run.losses, dtype=torch.float64)


class _Removal:
    """Rows with one mask on the way from all weights to none.

    Columns that are gone are cut out of the matrices when they are half of them.
    """

    def __init__(self, weight: Tensor, inverted: Tensor, units: Tensor, room: int) -> None:
        width = 1 if room else int(units.bincount().max())
        self.weight, self.inverse = _padded(weight, inverted, units, width)
        self.width, self.room, self.groups = width, room, units
        self.names = torch.arange(self.weight.shape[1] // width)
        self.closed = torch.zeros(len(self.names), dtype=torch.bool)
        self.left = [room] * (int(units.max()) + 1) if room else []
        self.budget = self._budget()
        self.order: list[int] = []
        self.losses: list[float] = []

    def _budget(self) -> int:
        """Return how many removals there will be."""
        if not self.room:
            return len(self.names)
        return int(self.groups.bincount().clamp(max=self.room).sum())

    @property
    def is_left(self) -> bool:
        return len(self.order) < self.budget

    def step(self) -> None:
        """Remove the cheapest unit and move the others."""
        losses, pivots = self._losses()
        losses[self.closed] = torch.inf
        unit = int(losses.argmin())
        columns = slice(unit * self.width, (unit + 1) * self.width)
        down, pivot = self.inverse[:, columns].clone(), pivots[unit]
        if self.width == 1:
            self.weight.addr_(self.weight[:, unit].clone(), down[:, 0], alpha=-1 / float(pivot))
            self.inverse.addr_(down[:, 0], down[:, 0], alpha=-1 / float(pivot))
        else:
            across = torch.linalg.solve(pivot, down.T)
            self.weight -= self.weight[:, columns].clone() @ across
            self.inverse -= down @ across
        self.order.append(int(self.names[unit]))
        self.losses.append(float(losses[unit]))
        self._close(unit)

    def _losses(self) -> tuple[Tensor, Tensor]:
        """Return ½ Σ_rows w_Qᵀ ([H⁻¹]_QQ)⁻¹ w_Q of each unit Q, and [H⁻¹]_QQ."""
        if self.width == 1:
            pivots = self.inverse.diagonal()
            return self.weight.square().sum(0) / (2 * pivots), pivots
        n, width = len(self.names), self.width
        blocks = self.inverse.view(n, width, n, width).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        pivots = blocks.clone()
        pivots[self.closed] = torch.eye(width, dtype=pivots.dtype)
        parts = self.weight.view(-1, n, width).permute(1, 2, 0)
        return (parts * torch.linalg.solve(pivots, parts)).sum((1, 2)) / 2, pivots

    def _close(self, unit: int) -> None:
        """Mark a unit as gone, and with it what its N:M group must keep."""
        self.closed[unit] = True
        if self.room:
            group = int(self.groups[self.names[unit]])
            self.left[group] -= 1
            if not self.left[group]:
                self.closed |= self.groups[self.names] == group
            return  # what a full group keeps still moves
        if 2 * int(self.closed.sum()) > len(self.closed) > 16:
            kept = (~self.closed).nonzero().flatten()
            columns = (kept[:, None] * self.width + torch.arange(self.width)).flatten()
            self.weight = self.weight[:, columns]
            self.inverse = self.inverse[columns][:, columns]
            self.names, self.closed = self.names[kept], torch.zeros(len(kept), dtype=torch.bool)


def _padded(weight: Tensor, inverted: Tensor, units: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return copies whose last unit is filled up with columns that touch nothing."""
    missing = (-len(units)) % width
    weight = torch.nn.functional.pad(weight, (0, missing))
    inverted = torch.nn.functional.pad(inverted, (0, missing, 0, missing))
    inverted.diagonal()[len(units) :] = 1
    return weight.clone(), inverted.clone()


def _column_units(quadratic: Quadratic, granularity: Granularity) -> Tensor:
    if granularity.keep:
        return granularity.columns_of(quadratic.shape)
    return torch.arange(quadratic.weight.shape[2]) // granularity.columns


def _write(scores: Tensor, units: Tensor, order: Tensor, losses: Tensor, single: bool) -> None:
    """Put the running maximum of the losses, per weight, where the units stand."""
    sizes = torch.ones_like(order) if single else units.bincount()[order]
    paid = (losses / (sizes * len(scores))).cummax(0).values
    # Equal scores are ranked by their place; the later of two removals must rank higher.
    steps = torch.arange(len(paid), dtype=torch.float64)
    paid = paid * (1 + 1e-12 * steps) + 1e-300 * steps
    if single:
        scores[:, order] = paid.to(scores)
        return
    of_unit = torch.empty_like(paid)
    of_unit[order] = paid
    scores.copy_(of_unit[units].expand_as(scores))
