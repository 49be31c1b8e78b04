"""How many threads run a plan: a small network on many threads mostly waits for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from time import perf_counter

from gossamer.runtime.plan import Plan
from gossamer.runtime.workers import Workers

ALONE_US = 150.0
"""A plan that one thread runs in less time is not shared: a barrier takes a microsecond a step, and
threads that sleep are woken in fifty."""
SHARED_MACS = 100_000_000
"""A plan with more nonzero MACs takes a millisecond at least, and is shared without asking."""
RUNS = 15


def share_out(plan_of: Callable[[int], Plan], most: int) -> Plan:
    """Return the fastest plan of at most `most` threads.

    One thread and all are compared, then half of them and so on, as long as fewer are faster.

    Args:
        plan_of: threads → plan.
        most: threads, ≥ 1.
    """
    plan = plan_of(most)
    if most == 1:
        return plan
    if sum(report.effective_macs for report in plan.reports) >= SHARED_MACS:
        return replace(plan, threads_reason="enough work for all")
    alone = plan_of(1)
    times_us = {1: _time_us(alone)}
    if times_us[1] < ALONE_US:
        return replace(alone, threads_reason=f"{times_us[1]:.0f} µs are too little to share")
    best, times_us[most] = plan, _time_us(plan)
    while best.threads > 3:
        fewer = plan_of(best.threads // 2)
        times_us[fewer.threads] = _time_us(fewer)
        if times_us[fewer.threads] >= times_us[best.threads]:
            break
        best = fewer
    best = best if times_us[best.threads] < times_us[1] else alone
    tried = ", ".join(f"{n}: {times_us[n]:.0f} µs" for n in sorted(times_us))
    return replace(best, threads_reason=f"measured, {tried}")


def _time_us(plan: Plan) -> float:
    """Return the least time of a few runs, one straight after the other."""
    with closing(Workers(plan.threads)) as workers:
        return 1e6 * min(_time_s(plan, workers) for _ in range(RUNS))


def _time_s(plan: Plan, workers: Workers) -> float:
    start = perf_counter()
    workers.run(*plan.job)
    return perf_counter() - start
