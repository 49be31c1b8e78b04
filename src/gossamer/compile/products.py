"""Which parts of chains run multiplied out, as one layer: by times of the whole network's plans.

A chain of factors has fewer multiply-accumulates than the layer that it stands for, but each of its
layers writes all of its pixels and reads them again, and thin ones leave registers unused. So the
network is planned with its chains as they are and with parts of them multiplied out, these plans
run in turns, and the parts of each chain are taken that need least time together. Times are
remembered by kind of chain. Networks without chains pay nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import combinations
from math import prod

import numpy as np

from gossamer.compile.factors import (
    LONGEST,
    Chain,
    Outline,
    Product,
    find_chains,
    joined,
    multiply,
    outline,
    with_products,
)
from gossamer.compile.timings import Timings, rounded
from gossamer.compile.trials import each_step_us
from gossamer.graph.graph import Graph
from gossamer.graph.ops import Shape
from gossamer.runtime.plan import Plan, StepReport
from gossamer.runtime.workers import Workers

MOST_MORE = 2.0
"""Multiply-accumulates of a product over those of its factors, above which it is not tried."""
MOST_WORK = 2**30
"""Multiply-accumulates that multiplying may take, some tenths of a second."""

Part = tuple[int, int]
"""The layers of a chain from the first to before the second number."""
Way = tuple[Part, ...]
"""Parts of a chain that follow each other, from its begin to its end."""


class Products:
    """The chains of a graph that parts can be multiplied out of, and their products.

    Args:
        graph: a network.
        shapes: value → shape for one image.
        may_multiply: whether there is something to choose at all.

    Attributes:
        graph: the network.
        chains: those with something to choose.
    """

    def __init__(
        self, graph: Graph, shapes: Mapping[str, Shape], *, may_multiply: bool = True
    ) -> None:
        self.graph, self._shapes = graph, shapes
        chains = find_chains(graph) if may_multiply else []
        self._outlines = {(name,): outline(graph, name) for chain in chains for name in chain}
        self._macs = {chain: dict(self._count(chain)) for chain in chains}
        self.chains = tuple(c for c, counts in self._macs.items() if len(counts) > len(c))
        self._made: dict[Chain, Product] = {}

    def macs(self, chain: Chain) -> Mapping[Part, float]:
        """Return the multiply-accumulates of each part that can run as one layer."""
        return self._macs[chain]

    def graph_of(self, ways: Mapping[Chain, Way]) -> Graph:
        """Return the graph with each chain run in a way."""
        parts = [chain[slice(*part)] for chain, way in ways.items() for part in way]
        products = {names: self._product(names) for names in parts if len(names) > 1}
        return with_products(self.graph, products)

    def kind(self, chain: Chain) -> object:
        """Return what chains have in common whose layers have the same sizes and densities."""
        known = (self._outlines[name,] for name in chain)
        layers = [(k.op, k.shape, k.has_bias, rounded(k.nonzeros)) for k in known]
        return self._shapes[self.source(chain)][1:], layers

    def source(self, chain: Chain) -> str:
        """Return the value that layers read."""
        return self.graph.node(chain[0]).inputs[0]

    def _product(self, names: Chain) -> Product:
        if names not in self._made:
            self._made[names] = multiply(self.graph, names, self._outlines[names])
        return self._made[names]

    def _count(self, chain: Chain) -> Iterator[tuple[Part, float]]:
        for begin, end in combinations(range(len(chain) + 1), 2):
            names = chain[begin:end]
            if end - begin > LONGEST:
                continue
            layers = [self._outlines[name,] for name in names]
            known = joined(layers)
            most = MOST_MORE * sum(map(self._work, layers, names))
            if len(names) == 1 or (
                known and known.work <= MOST_WORK and self._work(known, names[-1]) <= most
            ):
                self._outlines[names] = known or layers[0]
                yield (begin, end), self._work(self._outlines[names], names[-1])

    def _work(self, known: Outline, last: str) -> float:
        return known.nonzeros * prod(self._shapes[last][2:])


def plan_with_products(
    products: Products, plan_of: Callable[[Graph], Plan], timings: Timings | None
) -> Plan:
    """Return the plan of a graph, with those parts of its chains multiplied out that are faster so.

    Args:
        products: of the graph.
        plan_of: graph → plan.
        timings: what was measured before; what is measured now is added. Without it nothing is
            measured, and multiply-accumulates decide.
    """
    if not products.chains:
        return plan_of(products.graph)
    made: dict[tuple[Way, ...], Plan] = {}

    def plan(ways: Mapping[Chain, Way]) -> Plan:
        key = tuple(ways.values())
        made[key] = made.get(key) or plan_of(products.graph_of(ways))
        return made[key]

    costs = {chain: _known(products, chain, timings) for chain in products.chains}
    if timings:
        new = [chain for chain, known in costs.items() if not known]
        if new:
            _measure(products, new, costs, plan, timings)
        costs = {chain: _known(products, chain, timings) for chain in products.chains}
    ways = {chain: cheapest(known) for chain, known in costs.items()}
    unit = "µs" if timings else "MACs"
    reasons = dict(
        entry for chain, way in ways.items() for entry in _reasons(chain, way, costs[chain], unit)
    )
    chosen, is_changed = plan(ways), any(len(way) < len(chain) for chain, way in ways.items())
    return replace(
        chosen,
        reports=tuple(_explained(report, reasons) for report in chosen.reports),
        keeps_infinities=chosen.keeps_infinities and not is_changed,
        keeps_nan=not is_changed,
    )


def cheapest(costs: Mapping[Part, float]) -> Way:
    """Return the parts of a chain that cost least together; if equal, the longer ones.

    Examples:
        >>> cheapest({(0, 1): 2.0, (1, 2): 2.0, (2, 3): 1.0, (0, 2): 3.0, (1, 3): 9.0})
        ((0, 2), (2, 3))
    """
    best: dict[int, tuple[float, int, Way]] = {0: (0.0, 0, ())}
    for end in range(1, 1 + max(end for _, end in costs)):
        ways = [
            (best[begin][0] + cost, best[begin][1] + 1, (*best[begin][2], (begin, stop)))
            for (begin, stop), cost in costs.items()
            if stop == end
        ]
        best[end] = min(ways)
    return best[max(best)][2]


def covering_ways(parts: Sequence[Part], length: int) -> list[Way]:
    """Return few ways of a chain in which each of its parts is found; the first is as it is.

    Examples:
        >>> covering_ways([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)], 3)
        [((0, 1), (1, 2), (2, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 3))]
    """
    ways = [tuple((n, n + 1) for n in range(length))]
    waiting = sorted(part for part in parts if part[1] - part[0] > 1)
    while waiting:
        way: list[Part] = []
        for part in list(waiting):
            end = way[-1][1] if way else 0
            if part[0] >= end:
                way += [*((n, n + 1) for n in range(end, part[0])), part]
                waiting.remove(part)
        way += [(n, n + 1) for n in range(way[-1][1], length)]
        ways.append(tuple(way))
    return ways


def _known(products: Products, chain: Chain, timings: Timings | None) -> dict[Part, float]:
    """Return what each part of a chain costs, by times or unmeasured by work; empty if unknown."""
    macs = products.macs(chain)
    if timings is None:
        return dict(macs)
    for times in timings.recall(timings.key("products", products.kind(chain))):
        if set(times) == {_label(part) for part in macs}:
            return {part: times[_label(part)] for part in macs}
    return {}


def _measure(
    products: Products,
    new: Sequence[Chain],
    costs: Mapping[Chain, Mapping[Part, float]],
    plan: Callable[[Mapping[Chain, Way]], Plan],
    timings: Timings,
) -> None:
    """Time the parts of some chains in the whole network, and remember it by kind of chain."""
    turns = {chain: covering_ways(list(products.macs(chain)), len(chain)) for chain in new}
    settled = {chain: cheapest(known) for chain, known in costs.items() if known}
    trials = []
    for turn in range(max(map(len, turns.values()))):
        now = {chain: ways[turn % len(ways)] for chain, ways in turns.items()}
        trials.append({chain: now.get(chain) or settled[chain] for chain in products.chains})
    plans = [plan(ways) for ways in trials]
    with closing(Workers(plans[0].threads)) as workers:
        steps_us = each_step_us([plan.steps for plan in plans], workers.run)
    samples: dict[str, dict[str, list[float]]] = {}
    for ways, plan_, times_us in zip(trials, plans, steps_us, strict=True):
        for chain in new:
            of_kind = samples.setdefault(timings.key("products", products.kind(chain)), {})
            for part in ways[chain]:
                names = chain[slice(*part)]
                time_us = part_time_us(names, products.source(names), plan_.reports, list(times_us))
                of_kind.setdefault(_label(part), []).append(time_us)
    for key, of_kind in samples.items():
        timings.keep(key, {label: float(np.mean(times)) for label, times in of_kind.items()})


def part_time_us(
    names: Chain, source: str, reports: Sequence[StepReport], times_us: Sequence[float]
) -> float:
    """Return the time of a part of a chain: of its steps, and of bringing it what it reads.

    Steps that bring a value to another place have the value's name, and come before its reader.

    Args:
        names: of its layers.
        source: that the first of them reads.
        reports: of all steps.
        times_us: of all steps.
    """
    computes = {report.node: index for index, report in enumerate(reports) if report.macs}
    steps = range(computes.get(source, -1) + 1, computes[names[-1]] + 1)
    return float(sum(times_us[i] for i in steps if reports[i].node in {source, *names}))


def _reasons(
    chain: Chain, way: Way, costs: Mapping[Part, float], unit: str
) -> Iterator[tuple[str, str]]:
    """Yield (layer, why it is multiplied out, or why the chain that ends there is not)."""
    for begin, end in way:
        if end - begin > 1:
            alone = sum(costs[n, n + 1] for n in range(begin, end))
            gain = f"{costs[begin, end]:,.0f} {unit} in place of {alone:,.0f}"
            yield chain[end - 1], f"{end - begin} layers multiplied out, {gain}"
    if len(way) == len(chain):
        apart = {p: sum(costs[n, n + 1] for n in range(*p)) for p in costs if p[1] - p[0] > 1}
        begin, end = min(apart, key=lambda part: costs[part] - apart[part])
        loss = f"{apart[begin, end]:,.0f} {unit} in place of {costs[begin, end]:,.0f}"
        yield chain[end - 1], f"{end - begin} layers not multiplied out, {loss}"


def _explained(report: StepReport, reasons: Mapping[str, str]) -> StepReport:
    if not report.macs or report.node not in reasons:
        return report
    return replace(report, reason=f"{reasons[report.node]}; {report.reason}")


def _label(part: Part) -> str:
    return f"{part[0]}-{part[1]}"
