"""Which parts of chains run multiplied out, as one layer: by times of plans of the whole network.

A chain of factors has fewer multiply-accumulates than the layer that it stands for, but each of its
layers writes all of its pixels and reads them again, and other kernels suit it. So the network is
planned with its chains as they are and with parts of them multiplied out, these plans run in turns,
and the parts of each chain are taken that need least time together. Times are remembered by kind of
chain. Networks without chains pay nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from gossamer.compile.factors import Chain
from gossamer.compile.timings import Timings
from gossamer.compile.trials import each_step_us
from gossamer.compile.ways import Part, Way, Ways, cheapest, covering
from gossamer.graph.graph import Graph
from gossamer.runtime.plan import Plan, StepReport
from gossamer.runtime.workers import Workers

MEASURE_S = 0.5
"""After which no further round begins, once there were enough; longer than for kernels, as there is
more to lose."""

Costs = Mapping[Part, float]
"""Of each part of a chain: microseconds, or multiply-accumulates if nothing is measured."""
Chosen = Mapping[Chain, Way]


def plan_fastest(ways: Ways, plan_of: Callable[[Graph], Plan], timings: Timings | None) -> Plan:
    """Return a plan with those parts of chains multiplied out that are faster so.

    Args:
        ways: to run the chains of a network.
        plan_of: graph → plan.
        timings: what was measured before; what is measured now is added. Without it nothing is
            measured, and multiply-accumulates decide.
    """
    if not ways.chains:
        return plan_of(ways.graph)
    made: dict[tuple[Way, ...], Plan] = {}

    def plan(chosen: Chosen) -> Plan:
        key = tuple(chosen.values())
        if key not in made:
            made[key] = plan_of(ways.graph_of(chosen))
        return made[key]

    if timings is None:
        costs = {chain: ways.macs(chain) for chain in ways.chains}
    else:
        costs = _measured(ways, plan, timings)
    chosen = {chain: cheapest(costs[chain]) for chain in ways.chains}
    is_as_it_was = all(len(way) == len(chain) for chain, way in chosen.items())
    best = plan(chosen)
    return replace(
        best,
        reports=_explained(best.reports, chosen, costs, "µs" if timings else "MACs"),
        keeps_infinities=best.keeps_infinities and is_as_it_was,
        keeps_nan=is_as_it_was,
    )


def _measured(
    ways: Ways, plan: Callable[[Chosen], Plan], timings: Timings
) -> Mapping[Chain, Costs]:
    """Return what the parts of all chains cost; what was not known is measured and remembered."""
    keys = {chain: timings.key("chain", ways.kind(chain)) for chain in ways.chains}
    costs = {chain: _remembered(ways, chain, timings.of_kind(keys[chain])) for chain in ways.chains}
    new = [chain for chain, known in costs.items() if not known]
    if not new:
        return costs
    samples: dict[str, dict[Part, list[float]]] = defaultdict(lambda: defaultdict(list))
    for chosen, best, times_us in _trials(ways, new, costs, plan):
        for chain in new:
            for part in chosen[chain]:
                names = chain[slice(*part)]
                time_us = part_time_us(names, ways.source(names), best.reports, times_us)
                samples[keys[chain]][part].append(time_us)
    for key, of_kind in samples.items():
        times = {_label(part): float(np.median(times_us)) for part, times_us in of_kind.items()}
        timings.note(key, times)
    return {chain: _remembered(ways, chain, timings.of_kind(keys[chain])) for chain in ways.chains}


def _remembered(ways: Ways, chain: Chain, known: Sequence[Mapping[str, float]]) -> Costs:
    """Return what is known of the parts of a chain; empty if not all of them are."""
    parts = {_label(part): part for part in ways.macs(chain)}
    times = next((times for times in known if set(times) == set(parts)), {})
    return {parts[label]: time_us for label, time_us in times.items()}


def _trials(
    ways: Ways,
    new: Sequence[Chain],
    costs: Mapping[Chain, Costs],
    plan: Callable[[Chosen], Plan],
) -> Iterator[tuple[Chosen, Plan, list[float]]]:
    """Yield plans with the times of their steps; together they have each part of new chains."""
    turns = {chain: covering(ways.macs(chain)) for chain in new}
    settled = {chain: cheapest(known) for chain, known in costs.items() if known}
    trials = []
    for turn in range(max(map(len, turns.values()))):
        now = settled | {chain: of_chain[turn % len(of_chain)] for chain, of_chain in turns.items()}
        trials.append({chain: now[chain] for chain in ways.chains})
    plans = [plan(chosen) for chosen in trials]
    with closing(Workers(plans[0].threads)) as workers:
        times_us = each_step_us([made.steps for made in plans], workers.run, MEASURE_S)
    yield from zip(trials, plans, map(list, times_us), strict=True)


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


def _explained(
    reports: Sequence[StepReport], chosen: Chosen, costs: Mapping[Chain, Costs], unit: str
) -> tuple[StepReport, ...]:
    """Return the reports, with a word on chains at the steps that end their parts."""
    reasons = dict(
        reason for chain, way in chosen.items() for reason in _reasons(chain, way, costs[chain])
    )
    return tuple(
        replace(report, reason=f"{reasons[report.node].format(unit)}; {report.reason}")
        if report.macs and report.node in reasons
        else report
        for report in reports
    )


def _reasons(chain: Chain, way: Way, costs: Costs) -> Iterator[tuple[str, str]]:
    """Yield (layer, what multiplying out gains); of a chain that stays, what it would lose."""
    alone = {part: sum(costs[n, n + 1] for n in range(*part)) for part in costs}
    for part in way:
        if part[1] - part[0] > 1:
            gain = f"{costs[part]:,.0f} {{}} in place of {alone[part]:,.0f}"
            yield chain[part[1] - 1], f"{part[1] - part[0]} layers multiplied out, {gain}"
    if len(way) == len(chain):
        products = [part for part in costs if part[1] - part[0] > 1]
        part = min(products, key=lambda part: costs[part] - alone[part])
        loss = f"{alone[part]:,.0f} {{}} in place of {costs[part]:,.0f}"
        yield chain[part[1] - 1], f"{part[1] - part[0]} layers not multiplied out, {loss}"


def _label(part: Part) -> str:
    return f"{part[0]}-{part[1]}"
