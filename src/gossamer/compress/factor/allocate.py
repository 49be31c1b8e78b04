"""Which layers give up how much, so that all of them together reach a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One way to have a layer.

    Args:
        cost: MACs, weights or time.
        loss: ≥ 0; 0 of the layer as it is.
    """

    cost: float
    loss: float


def allocate(options: Mapping[str, Sequence[Option]], budget: float) -> dict[str, int]:
    """Return for each layer the index of its option, so that all costs are within a budget.

    From each layer's dearest useful option, always the step is taken that loses least for what it
    saves, along the lower convex hull of the layer's options; the last step is replaced by the
    option of that layer that loses least and suffices.

    Args:
        options: for each layer at least one; the first is the layer as it is.
        budget: no smaller than the sum of the least costs.

    Examples:
        >>> both = {"a": [Option(4, 0.0), Option(2, 0.1)], "b": [Option(4, 0.0), Option(2, 0.5)]}
        >>> allocate(both, 6)
        {'a': 1, 'b': 0}
    """
    chosen = dict.fromkeys(options, 0)
    total = sum(own[0].cost for own in options.values())
    steps = [step for name, own in options.items() for step in _steps(name, own)]
    for _, name, index in sorted(steps, key=lambda step: step[0]):
        if total <= budget:
            break
        before = total - options[name][chosen[name]].cost
        chosen[name] = index
        if before + options[name][index].cost <= budget:
            chosen[name] = _best_within(options[name], budget - before)
        total = before + options[name][chosen[name]].cost
    return chosen


def _steps(name: str, options: Sequence[Option]) -> list[tuple[float, str, int]]:
    """Return loss per saving, name and index along the convex hull, which is ever steeper."""
    at, steps = 0, []
    while True:
        cheaper = [i for i, own in enumerate(options) if own.cost < options[at].cost]
        if not cheaper:
            return steps
        prices = {i: _price(options[at], options[i]) for i in cheaper}
        best = min(cheaper, key=lambda i: (prices[i], options[i].cost))
        steps.append((max(prices[best], steps[-1][0] if steps else 0.0), name, best))
        at = best


def _price(dear: Option, cheap: Option) -> float:
    return (cheap.loss - dear.loss) / (dear.cost - cheap.cost)


def _best_within(options: Sequence[Option], room: float) -> int:
    fitting = [i for i, own in enumerate(options) if own.cost <= room]
    return min(fitting, key=lambda i: (options[i].loss, options[i].cost))
