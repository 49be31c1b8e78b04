"""The reports of a plan as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.runtime.bounds import peak, step_bounds_us
from gossamer.runtime.plan import Plan, StepReport

if TYPE_CHECKING:
    from gossamer.jit.limits import Limits


@dataclass(frozen=True)
class Measured:
    """What was measured for an explanation.

    Args:
        times_us: of each step in its place.
        whole_us: of all steps in one go.
        limits: of the machine, one thread.
    """

    times_us: Sequence[float]
    whole_us: float
    limits: Limits


def format_plan(plan: Plan, measured: Measured | None = None) -> str:
    """Return how many threads run a plan and why, and the table of its steps.

    Without measurements the times are those by which kernels were chosen, and there are no shares.
    """
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    reason = f" ({plan.threads_reason})" if plan.threads_reason else ""
    lines = [f"{threads}{reason}, {plan.target.isa}"]
    if measured is None:
        rows = [_row(report, report.time_us, "", "") for report in plan.reports]
    else:
        rows = _measured_rows(plan, measured)
        lines.append(_summary(plan, measured))
    return "\n".join([*lines, *_aligned(rows)])


def _measured_rows(plan: Plan, measured: Measured) -> list[tuple[str, ...]]:
    bounds_us = step_bounds_us(plan, measured.limits)
    return [
        _row(
            report,
            time_us,
            _share(_arithmetic_us(plan, report, measured.limits), time_us),
            _share(bound_us, time_us),
        )
        for report, time_us, bound_us in zip(
            plan.reports, measured.times_us, bounds_us, strict=True
        )
    ]


def _arithmetic_us(plan: Plan, report: StepReport, limits: Limits) -> float | None:
    """Return what a step's nonzeros take from registers: of floats or bytes, as its kernel does."""
    speed = peak(report, limits)
    return None if speed is None else report.effective_macs / (speed * plan.threads) / 1e3


def _summary(plan: Plan, measured: Measured) -> str:
    """Say what the whole network takes, and of what it could take."""
    limits, total_us = measured.limits, sum(measured.times_us)
    bounds_us = step_bounds_us(plan, limits)
    bound_us = sum(bound or 0.0 for bound in bounds_us)
    share = _share(bound_us, total_us) if None not in bounds_us else "an unknown share"
    return (
        f"{total_us:.1f} µs step by step, {measured.whole_us:.1f} µs in one go; "
        f"{share} of the bound\n"
        f"one thread at best: {limits}"
    )


def _share(least_us: float | None, time_us: float) -> str:
    return "" if not least_us or not time_us else f"{least_us / time_us:.0%}"


def _row(report: StepReport, time_us: float | None, peak: str, bound: str) -> tuple[str, ...]:
    dense = f"{report.effective_macs / report.macs:.0%}" if report.macs else ""
    tried = dict(report.others)
    if report.time_us is not None and tried:
        tried = {report.kernel: report.time_us} | tried
    trials = ", ".join(f"{label} {time:.1f} µs" for label, time in tried.items())
    return (
        report.node,
        report.kernel,
        "" if time_us is None else f"{time_us:.1f} µs",
        peak,
        bound,
        f"{report.macs:,}" if report.macs else "",
        dense,
        f"{report.reason}: {trials}" if trials else report.reason,
    )


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return a table of text: layers and kernels to the left, numbers to the right."""
    table = [("layer", "kernel", "time", "of peak", "of bound", "MACs", "nonzero", "why"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(7)]
    return ["  ".join(_cells(row, widths)).rstrip() for row in table]


def _cells(row: tuple[str, ...], widths: Sequence[int]) -> list[str]:
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(row[2:7], widths[2:], strict=True)]
    return [*left, *right, row[7]]
