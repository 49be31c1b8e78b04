"""Which kernel runs each step: the candidates are timed on this machine, the fastest stays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

from gossamer.compile.bind import Binding, Bound
from gossamer.compile.step import Choice, Step
from gossamer.compile.timings import Times, Timings
from gossamer.runtime.native import native_loop
from gossamer.runtime.plan import StepReport
from gossamer.runtime.workers import Workers

MOST_TIMED = 3
"""Choices of a step that are timed, the likeliest: a fourth made networks less than two percent
faster, and compiling a kernel to time it takes some 15 ms."""
SAMPLES = 3
SAMPLE_S = 0.0003
"""Seconds of one sample: long beside the clock's resolution, short beside loading a network."""


def choose(
    steps: Sequence[Step], binding: Binding, timings: Timings | None, threads: int
) -> tuple[list[Bound], list[StepReport]]:
    """Return the chosen way to run each step, and the report of why.

    Args:
        steps: with their candidates.
        binding: of those steps.
        timings: what was measured before; what is measured now is added. Without it nothing is
            measured, and each step's first candidate runs.
        threads: that run each step, in measuring as in use.
    """
    with closing(Workers(threads if timings else 1)) as workers:
        picks = [_pick(step, binding, timings, workers) for step in steps]
    binding.load(pick.choice for pick in picks)
    chosen = [pick.bound or binding.bind(pick.choice) for pick in picks]
    return chosen, [_report(*each) for each in zip(steps, picks, chosen, strict=True)]


@dataclass(frozen=True)
class _Pick:
    """What runs a step, by which times, and why; bound if it was measured just now."""

    choice: Choice
    times: Times
    reason: str
    bound: Bound | None = None


def _pick(step: Step, binding: Binding, timings: Timings | None, workers: Workers) -> _Pick:
    if timings is None or len(step.choices) == 1:
        return _Pick(step.choices[0], {}, _unmeasured(step))
    if times := timings.find(step):
        return _Pick(_fastest(step, times), times, "fastest measured before")
    bound, times = _measure(step, binding, workers)
    timings.add(step, times)
    return _Pick(bound.choice, times, "fastest measured", bound)


def _measure(step: Step, binding: Binding, workers: Workers) -> tuple[Bound, Times]:
    """Return the fastest of the step's likeliest choices, and the times of all of them."""
    choices = step.choices[:MOST_TIMED]
    binding.load(choices)
    tried = [binding.bind(choice) for choice in choices]
    times_us = _times_us([bound.step.ctypes.data for bound in tried], workers)
    best = tried[times_us.index(min(times_us))]
    return best, {bound.choice.label: t for bound, t in zip(tried, times_us, strict=True)}


def _fastest(step: Step, times: Times) -> Choice:
    """Return the step's choice that took the least time."""
    return min(step.choices, key=lambda choice: times.get(choice.label, float("inf")))


def _times_us(steps: Sequence[int], workers: Workers | None = None) -> list[float]:
    """Return the least time of each step, by address, of a few samples; alone or on all workers.

    All take turns, so that something else on the machine that lasts for a while disturbs all.
    """
    calls = [max(1, int(SAMPLE_S / max(_time_s(step, 1, workers), 1e-7))) for step in steps]
    samples = [
        [_time_s(step, times, workers) / times for step, times in zip(steps, calls, strict=True)]
        for _ in range(SAMPLES)
    ]
    return [1e6 * min(of_step) for of_step in zip(*samples, strict=True)]


def _time_s(step: int, times: int, workers: Workers | None) -> float:
    start = perf_counter()
    if workers is None or workers.threads == 1:
        native_loop().repeat(step, 1, times)
    else:
        for _ in range(times):
            workers.run(step, 1)
    return perf_counter() - start


def _report(step: Step, pick: _Pick, bound: Bound) -> StepReport:
    choice, times, reason = pick.choice, pick.times, pick.reason
    if times and "dense" in choice.label and step.effective_macs < step.macs:
        reason = "dense, because skipping the zeros was not faster here"
    others = {label: time for label, time in times.items() if label != choice.label}
    return StepReport(
        step.node,
        choice.label,
        times.get(choice.label),
        others,
        step.macs,
        step.effective_macs,
        reason,
        min(choice.reads for choice in step.choices),
        step.numbers,
        sum(table.nbytes for table in bound.tables.values()),
        min(step.effective_macs if c.macs is None else c.macs for c in step.choices),
    )


def _unmeasured(step: Step) -> str:
    return "only kernel" if len(step.choices) == 1 else "first candidate, not measured"
