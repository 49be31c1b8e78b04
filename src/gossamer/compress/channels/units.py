"""Units: what goes together when one channel goes. Groups: units that touch the same tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from gossamer.compress.channels.flow import Choice, Flow
from gossamer.compress.channels.ties import Ties

Axis = tuple[str, int]


@dataclass(frozen=True)
class Structure:
    """All that can be removed from a model.

    Args:
        unit_of: (tensor, axis) → number of the unit that each place belongs to, −1 if it must stay.
        groups: numbers of the units of each group.
        roots: representative label → number of its unit, −1 if it must stay; for `unit_of` of
            labels that belong to no tensor.
        reasons: layer → why some of its output channels must stay.
        flow: what it was found in.
        orders: numbers of units that can go from the last one backwards only.
    """

    unit_of: Mapping[Axis, np.ndarray]
    groups: tuple[np.ndarray, ...]
    roots: np.ndarray
    reasons: Mapping[str, str]
    flow: Flow
    orders: tuple[np.ndarray, ...] = ()

    @property
    def count(self) -> int:
        """How many units there are."""
        return sum(len(group) for group in self.groups)

    def units(self, labels: np.ndarray) -> np.ndarray:
        """Return the unit of each label, −1 where it must stay."""
        return self.roots[labels]


def find_structure(flow: Flow, frozen_rows: Iterable[np.ndarray] = ()) -> Structure:
    """Settle the choices of a walk and number the units.

    A unit needs an output channel of some layer: that is what is removed.

    Args:
        flow: of the walk.
        frozen_rows: labels of output channels that must stay for other reasons.
    """
    ties = flow.ties.copy()
    bare = ties.fresh(1)  # what "no channel" is tied to
    held = [labels for labels, _ in flow.frozen]
    frozen = np.unique(np.concatenate([bare, *held, *frozen_rows]))
    ties = _settle(ties, flow.choices, frozen)
    root = ties.roots(np.arange(len(ties)))
    stays = np.ones(len(root), bool)
    for layer in flow.layers:
        stays[root[layer.rows]] = False
    stays[root[frozen]] = True
    orders = [root[labels] for labels in flow.orders]
    _hold_before(orders, stays)
    free = np.flatnonzero(~stays & (root == np.arange(len(root))))
    numbers = np.full(len(root), -1)
    numbers[free] = np.arange(len(free))
    roots = numbers[root]
    unit_of = {
        (name, axis): roots[labels.numpy()]
        for name, weights in flow.tensors.items()
        for axis, labels in enumerate(weights.axes)
    }
    unit_of = {key: units for key, units in unit_of.items() if (units >= 0).any()}
    groups, reasons = _groups(unit_of, len(free)), _reasons(flow, root)
    ordered = tuple(found[found >= 0] for found in (numbers[order] for order in orders))
    return Structure(unit_of, groups, roots, reasons, flow, ordered)


def _hold_before(orders: Iterable[np.ndarray], stays: np.ndarray) -> None:
    """Let stay, in place, what comes before something that stays."""
    held = -1
    while held != (held := int(stays.sum())):
        for order in orders:
            last = np.flatnonzero(stays[order])
            stays[order[: last[-1] if last.size else 0]] = True


def _settle(ties: Ties, choices: Iterable[Choice], frozen: np.ndarray) -> Ties:
    """Take for each choice in turn the option that leaves most to choose from."""
    ties = ties.copy()
    for choice in choices:
        tried = []
        for option in choice.options:
            attempt = ties.copy()
            _apply(attempt, option, frozen)
            left = np.setdiff1d(attempt.roots(choice.labels), attempt.roots(frozen))
            tried.append((len(left), attempt))
        ties = max(tried, key=lambda pair: pair[0])[1]
    return ties


def _apply(ties: Ties, option: Iterable[tuple[np.ndarray, np.ndarray]], frozen: np.ndarray) -> None:
    """Tie; what is tied to "no channel" is tied to something frozen."""
    for a, b in option:
        a, b = a.ravel(), b.ravel()
        both = (a > 0) & (b > 0)
        ties.tie(a[both], b[both])
        bare = (a + b)[(a == 0) != (b == 0)]
        ties.tie(bare, np.full(len(bare), frozen[-1]))


def _groups(unit_of: Mapping[Axis, np.ndarray], count: int) -> tuple[np.ndarray, ...]:
    touched: list[list[int]] = [[] for _ in range(count)]
    for number, units in enumerate(unit_of.values()):
        for unit in np.unique(units[units >= 0]):
            touched[unit].append(number)
    groups = defaultdict(list)
    for unit, axes in enumerate(touched):
        groups[tuple(axes)].append(unit)
    return tuple(np.array(units) for units in groups.values())


def _reasons(flow: Flow, root: np.ndarray) -> dict[str, str]:
    """Return layer → the first reason why some of its outputs must stay."""
    why: dict[int, str] = {}
    for labels, reason in flow.frozen:
        for label in np.unique(root[labels]):
            why.setdefault(int(label), reason)
    reasons = {}
    for layer in flow.layers:
        roots = np.unique(root[layer.rows]).tolist()
        found = [why[label] for label in roots if label in why]
        if len(roots) == 1 < len(layer.rows):
            found.append("all its channels hang together")
        if found:
            reasons.setdefault(layer.weight, found[0])
    return reasons
