"""Which kernel runs each step: the candidates are timed on this machine, the fastest stays."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from gossamer.compile.bind import Binding, Bound
from gossamer.compile.step import Choice, Step
from gossamer.compile.timings import Times, Timings
from gossamer.runtime.native import native_loop
from gossamer.runtime.plan import StepReport

MOST_TIMED = 4
"""Choices of a step that are timed, the likeliest first."""
SAMPLES = 3
SAMPLE_S = 0.0003
"""Seconds of one sample: long beside the clock's resolution, short beside loading a network."""


def choose(
    steps: Sequence[Step], binding: Binding, timings: Timings | None
) -> tuple[list[Bound], list[StepReport]]:
    """Return the chosen way to run each step, and the report of why.

    Args:
        steps: with their candidates.
        binding: of those steps.
        timings: what was measured before; what is measured now is added. Without it nothing is
            measured, and each step's first candidate runs.
    """
    chosen, reports = [], []
    for step in steps:
        if timings is None or len(step.choices) == 1:
            bound, times, reason = binding.bind(step.choices[0]), {}, _unmeasured(step)
        elif times := timings.find(step):
            bound, reason = binding.bind(_fastest(step, times)), "fastest measured before"
        else:
            bound, times = _measure(step, binding)
            timings.add(step, times)
            reason = "fastest measured"
        chosen.append(bound)
        reports.append(_report(step, bound.choice, times, reason))
    return chosen, reports


def _measure(step: Step, binding: Binding) -> tuple[Bound, Times]:
    """Return the fastest of the step's likeliest choices, and the times of all of them."""
    best, times = None, {}
    for choice in step.choices[:MOST_TIMED]:
        bound = binding.bind(choice)
        times[choice.label] = _time_us(bound)
        if best is None or times[choice.label] < times[best.choice.label]:
            best = bound
    assert best is not None
    return best, times


def _fastest(step: Step, times: Times) -> Choice:
    """Return the step's choice that took the least time."""
    return min(step.choices, key=lambda choice: times.get(choice.label, float("inf")))


def _time_us(bound: Bound) -> float:
    """Return the smallest time of a few samples; thread 0's share only."""
    loop, address = native_loop(), bound.step.ctypes.data
    start = perf_counter()
    loop.repeat(address, 1, 1)
    times = max(1, int(SAMPLE_S / max(perf_counter() - start, 1e-7)))
    samples = []
    for _ in range(SAMPLES):
        start = perf_counter()
        loop.repeat(address, 1, times)
        samples.append((perf_counter() - start) / times)
    return 1e6 * min(samples)


def _report(step: Step, choice: Choice, times: Times, reason: str) -> StepReport:
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
    )


def _unmeasured(step: Step) -> str:
    return "only kernel" if len(step.choices) == 1 else "first candidate, not measured"
