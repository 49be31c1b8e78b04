"""The reports of a plan as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from gossamer.runtime.plan import Plan, StepReport


def format_plan(plan: Plan) -> str:
    """Return how many threads run a plan and why, and the table of its steps."""
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    reason = f" ({plan.threads_reason})" if plan.threads_reason else ""
    return f"{threads}{reason}\n{format_reports(plan.reports)}"


def format_reports(reports: Sequence[StepReport]) -> str:
    """Return a table, one line a step: node, kernel, time, MACs, why, and what else was tried."""
    rows = [("layer", "kernel", "time", "MACs", "nonzero", "why")]
    rows += [_row(report) for report in reports]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(row[:5], widths, strict=True)), row[5]]
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _row(report: StepReport) -> tuple[str, ...]:
    share = f"{report.effective_macs / report.macs:.0%}" if report.macs else ""
    return (
        report.node,
        report.kernel,
        "" if report.time_us is None else f"{report.time_us:.1f} µs",
        f"{report.macs:,}" if report.macs else "",
        share,
        "; ".join(
            [report.reason, *(f"{label} {time:.1f} µs" for label, time in report.others.items())]
        ),
    )
