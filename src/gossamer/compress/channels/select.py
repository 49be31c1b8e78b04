"""Which units go: the least of them, until the asked share is reached."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, gcd

import numpy as np

from gossamer.compress.channels.units import Structure
from gossamer.compress.channels.work import Work, work
from gossamer.errors import PassError

MEASURES = ("channels", "macs")
ALLOCATIONS = ("global", "uniform")


@dataclass(frozen=True)
class Share:
    """How much to remove.

    Args:
        of: "macs" (of convolutions and linear layers) or "channels" (outputs of convolutions).
        amount: 0 ≤ a < 1.
        allocation: "global" (one ranking) or "uniform" (the same share of every group).
        min_density: share of its channels that each group of layers keeps, 0 ≤ d < 1; one in any
            case.
        multiple: widths are rounded up to multiples of it, as long as that makes none wider; 0 for
            8, or in narrow layers the largest power of two that is at most an eighth of the width.
    """

    of: str = "macs"
    amount: float = 0.5
    allocation: str = "global"
    min_density: float = 0.1
    multiple: int = 1

    def check(self, where: str) -> None:
        """Raise PassError for what no removal can mean."""
        for label, value, known in (
            ("measure", self.of, MEASURES),
            ("allocation", self.allocation, ALLOCATIONS),
        ):
            if value not in known:
                raise PassError(f"unknown {label}", where=where, got=value, expected=known)
        for label, value in (("amount", self.amount), ("min_density", self.min_density)):
            if not 0 <= value < 1:
                raise PassError(
                    f"{label} out of range", where=where, got=value, expected="0 ≤ x < 1"
                )
        if self.multiple < 0:
            raise PassError("multiple out of range", where=where, got=self.multiple, expected="≥ 0")


def choose_units(structure: Structure, scores: np.ndarray, share: Share) -> np.ndarray:
    """Return for each unit whether it goes; as few go as reach the share, or all that may.

    Args:
        structure: which units there are.
        scores: of the units.
        share: how much is to go.
    """
    scores = _falling(structure, scores)
    ranks = scores if share.allocation == "global" else _quantiles(structure, scores)
    limits = _limits(structure, share)
    whole = work(structure, np.zeros(structure.count, bool))
    thresholds = np.unique(ranks)
    low, high = -1, len(thresholds) - 1
    while low + 1 < high:
        middle = (low + high) // 2
        removed = _below(structure, ranks, thresholds[middle], limits)
        if whole.removed(work(structure, removed), share.of) >= share.amount:
            high = middle
        else:
            low = middle
    if not len(thresholds):
        return np.zeros(0, bool)
    return _below(structure, ranks, thresholds[high], limits)


def most(structure: Structure, share: Share) -> Work:
    """Return what is left when everything goes that may."""
    limits = _limits(structure, share)
    removed = _below(structure, np.zeros(structure.count), 0.0, limits)
    return work(structure, removed)


def _falling(structure: Structure, scores: np.ndarray) -> np.ndarray:
    """Return scores that nowhere rise along an order: each is worth what comes after it."""
    scores = scores.copy()
    for order in structure.orders:
        worth = np.maximum.accumulate(scores[order[::-1]])
        # Among equals the last ones go first.
        scores[order[::-1]] = worth + 1e-9 * np.arange(len(order))
    return scores


def _quantiles(structure: Structure, scores: np.ndarray) -> np.ndarray:
    """Return each unit's place in its group's order, as a fraction of the group."""
    ranks = np.zeros(len(scores))
    for group in structure.groups:
        order = np.argsort(scores[group], kind="stable")
        ranks[group[order]] = (np.arange(len(group)) + 1) / len(group)
    return ranks


def _limits(structure: Structure, share: Share) -> list[tuple[int, int]]:
    """Return for each group the fewest units that stay, and the step of their number."""
    widths, limits = _widths(structure), []
    for group in structure.groups:
        width = int(widths[group[0]])
        multiple = share.multiple or _likeable(width * len(group))
        least = max(1, ceil(share.min_density * len(group)))
        limits.append((least, multiple // gcd(multiple, width)))
    return limits


def _likeable(width: int) -> int:
    """Return what a width is rounded to: as much as kernels like, and no large part of it.

    Examples:
        >>> [_likeable(width) for width in (4, 16, 24, 64, 500)]
        [1, 2, 2, 8, 8]
    """
    return 1 << min(3, max(0, (width // 8).bit_length() - 1))


def _widths(structure: Structure) -> np.ndarray:
    """Return how many output channels of one layer each unit holds, at the widest layer."""
    widths = np.zeros(structure.count, np.int64)
    for layer in structure.flow.layers:
        units = structure.units(layer.rows)
        np.maximum(widths, np.bincount(units[units >= 0], minlength=len(widths)), out=widths)
    return widths


def _below(
    structure: Structure, ranks: np.ndarray, threshold: float, limits: list[tuple[int, int]]
) -> np.ndarray:
    """Remove what does not rank above a threshold, as far as the limits allow."""
    removed = np.zeros(len(ranks), bool)
    for group, (least, step) in zip(structure.groups, limits, strict=True):
        stay = max(least, int((ranks[group] > threshold).sum()))
        stay = min(len(group), ceil(stay / step) * step)
        order = np.argsort(ranks[group], kind="stable")
        removed[group[order[: len(group) - stay]]] = True
    return removed
