"""Which kernel runs each step: the candidates are timed on this machine, the fastest stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

from gossamer.compile.bind import Binding, Bound
from gossamer.compile.step import Step
from gossamer.runtime.native import native_loop
from gossamer.runtime.plan import StepReport

SAMPLES = 3
SAMPLE_S = 0.0003
"""Seconds of one sample: long beside the clock's resolution, short beside loading a network."""


def choose(
    steps: Sequence[Step], binding: Binding, *, measure: bool
) -> tuple[list[Bound], list[StepReport]]:
    """Return the chosen way to run each step, and the report of why.

    Args:
        steps: with their candidates.
        binding: of those steps.
        measure: whether to time candidates; otherwise each step's first candidate runs.
    """
    chosen, reports = [], []
    for step in steps:
        tried = step.choices if measure else step.choices[:1]
        best, bound, times = _fastest([partial(binding.bind, choice) for choice in tried])
        chosen.append(bound)
        reports.append(_report(step, best, times))
    return chosen, reports


def _fastest(ways: Sequence[Callable[[], Bound]]) -> tuple[int, Bound, list[float]]:
    """Return which of several ways is the fastest, itself, and the times; one way is not timed."""
    first = ways[0]()
    if len(ways) == 1:
        return 0, first, []
    best, bound, times = 0, first, [_time_us(first)]
    for index, way in enumerate(ways[1:], 1):
        other = way()
        times.append(_time_us(other))
        if times[index] < times[best]:
            best, bound = index, other
    return best, bound, times


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


def _report(step: Step, best: int, times: list[float]) -> StepReport:
    labels = [choice.label for choice in step.choices]
    others = {labels[i]: times[i] for i in range(len(times)) if i != best}
    return StepReport(
        step.node,
        labels[best],
        times[best] if times else None,
        others,
        step.macs,
        step.effective_macs,
        _reason(step, best, times),
    )


def _reason(step: Step, best: int, times: list[float]) -> str:
    if len(step.choices) == 1:
        return "only kernel"
    if not times:
        return "first candidate, not measured"
    if "dense" in step.choices[best].label and step.effective_macs < step.macs:
        return "dense, because skipping the zeros was not faster here"
    return "fastest measured"
