"""Which kernel runs each step: the candidates are timed on this machine, the fastest stays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from gossamer.compile.bind import Binding, Bound
from gossamer.compile.step import Choice, Step
from gossamer.compile.timings import Times, Timings
from gossamer.compile.trials import trial_times
from gossamer.runtime.plan import StepReport
from gossamer.runtime.workers import Workers

MOST_TIMED = 3
"""Choices of a step that are timed, the likeliest: a fourth made networks less than two percent
faster, and compiling a kernel to time it takes some 15 ms."""


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
    new = _first_of_each_kind(steps, timings) if timings else []
    rivals = {index: steps[index].choices[:MOST_TIMED] for index in new}
    picks = [_fastest(step, _times(step, timings)) for step in steps]
    binding.load([*picks, *(choice for choices in rivals.values() for choice in choices)])
    chosen = [binding.bind(choice) for choice in picks]
    if timings and new:
        tried = {
            index: [chosen[index], *(binding.bind(choice) for choice in choices[1:])]
            for index, choices in rivals.items()
        }
        with closing(Workers(threads)) as workers:
            for index, times in trial_times(chosen, tried, workers.run).items():
                timings.add(steps[index], times)
        for index, step in enumerate(steps):
            pick = _fastest(step, _times(step, timings))
            ready = (b for b in [chosen[index], *tried.get(index, [])] if b.choice is pick)
            chosen[index] = next(ready, None) or binding.bind(pick)
    reports = [
        _report(step, bound, _times(step, timings), is_new=index in rivals)
        for index, (step, bound) in enumerate(zip(steps, chosen, strict=True))
    ]
    return chosen, reports


def _first_of_each_kind(steps: Sequence[Step], timings: Timings) -> list[int]:
    """Return the place of one step of each kind that has choices and was never measured."""
    found: dict[object, int] = {}
    for index, step in enumerate(steps):
        if len(step.choices) > 1 and timings.find(step) is None:
            labels = tuple(choice.label for choice in step.choices[:MOST_TIMED])
            found.setdefault((timings.kind(step), labels), index)
    return list(found.values())


def _times(step: Step, timings: Timings | None) -> Times:
    """Return what was measured of a step; nothing if it has no choice."""
    return (timings.find(step) if timings and len(step.choices) > 1 else None) or {}


def _fastest(step: Step, times: Times) -> Choice:
    """Return the step's choice that took the least time; the likeliest of those not measured."""
    return min(step.choices, key=lambda choice: times.get(choice.label, float("inf")))


def _report(step: Step, bound: Bound, times: Times, *, is_new: bool) -> StepReport:
    choice = bound.choice
    return StepReport(
        step.node,
        choice.label,
        times.get(choice.label),
        {label: time for label, time in times.items() if label != choice.label},
        step.macs,
        step.effective_macs,
        _reason(step, choice, times, is_new=is_new),
        min(choice.reads for choice in step.choices),
        step.numbers,
        sum(table.nbytes for table in bound.tables.values()),
        min(step.effective_macs if c.macs is None else c.macs for c in step.choices),
    )


def _reason(step: Step, choice: Choice, times: Times, *, is_new: bool) -> str:
    if not times:
        return "only kernel" if len(step.choices) == 1 else "first candidate, not measured"
    if "dense" in choice.label and step.effective_macs < step.macs:
        return "dense, because skipping the zeros was not faster here"
    return "fastest measured" if is_new else "fastest measured before"
