"""How many threads run a plan: a small network on many threads mostly waits for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from time import perf_counter

from gossamer.runtime.plan import Plan
from gossamer.runtime.workers import Workers

ALONE_US = 150.0
"""A plan that one thread runs in less time is not shared: a barrier takes a microsecond a step, and
threads that sleep are woken in fifty."""
SHARED_MACS = 100_000_000
"""A plan with more nonzero MACs takes a millisecond at least, and is shared without asking."""
SHARE_US = 10.0
"""A plan that leaves each thread more to do between two barriers, on average, is shared without
asking: an unlucky second would decide for one thread, at half the speed from then on."""
ROUNDS = 4
RUNS = 5
"""Of each plan in each round. Plans take turns, so that whatever takes a processor away for a while
is not held against the plan that happens to run just then."""


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
    times_us = _times_us(alone)
    if times_us[1] < ALONE_US:
        return replace(alone, threads_reason=f"{times_us[1]:.0f} µs are too little to share")
    if times_us[1] >= SHARE_US * most * len(plan.reports):
        return replace(plan, threads_reason=f"{times_us[1]:.0f} µs are enough to share")
    best, times_us = plan, _times_us(alone, plan)
    while best.threads > 3:
        fewer = plan_of(best.threads // 2)
        times_us |= _times_us(best, fewer)
        if times_us[fewer.threads] >= times_us[best.threads]:
            break
        best = fewer
    best = best if times_us[best.threads] < times_us[1] else alone
    tried = ", ".join(f"{n}: {times_us[n]:.0f} µs" for n in sorted(times_us))
    return replace(best, threads_reason=f"measured, {tried}")


def _times_us(*plans: Plan) -> dict[int, float]:
    """Return threads → the least time of some runs, straight after each other but for turns."""
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(Workers(plan.threads))) for plan in plans]
        samples = [
            [[_time_s(*pair) for _ in range(RUNS)] for pair in zip(plans, workers, strict=True)]
            for _ in range(ROUNDS)
        ]
    times_s = [min(map(min, of_plan)) for of_plan in zip(*samples, strict=True)]
    return {plan.threads: 1e6 * time for plan, time in zip(plans, times_s, strict=True)}


def _time_s(plan: Plan, workers: Workers) -> float:
    start = perf_counter()
    workers.run(*plan.job)
    return perf_counter() - start
