"""Which kernel runs each step: the candidates are timed on this machine, the fastest stays."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from gossamer.compile.bind import Binding
from gossamer.compile.step import Choice, Step
from gossamer.runtime.native import native_loop
from gossamer.runtime.plan import StepReport

SAMPLES = 3
SAMPLE_S = 0.0003
"""Seconds of one sample: long beside the clock's resolution, short beside loading a network."""


def choose(
    steps: Sequence[Step], binding: Binding, *, measure: bool
) -> tuple[list[Choice], list[StepReport]]:
    """Return the chosen way to run each step, and the report of why.

    Args:
        steps: with their candidates.
        binding: of those steps.
        measure: whether to time candidates; otherwise each step's first candidate runs.
    """
    chosen, reports = [], []
    for step in steps:
        times = (
            [_time_us(c, binding) for c in step.choices]
            if measure and len(step.choices) > 1
            else []
        )
        best = times.index(min(times)) if times else 0
        chosen.append(step.choices[best])
        reports.append(_report(step, best, times))
    return chosen, reports


def _time_us(choice: Choice, binding: Binding) -> float:
    """Return the smallest time of a few samples; thread 0's share only."""
    loop, address = native_loop(), binding.steps([choice]).ctypes.data
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
    labels = [choice.kernel.label() for choice in step.choices]
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
    if "dense" in step.choices[best].kernel.label() and step.effective_macs < step.macs:
        return "dense, because skipping the zeros was not faster here"
    return "fastest measured"
