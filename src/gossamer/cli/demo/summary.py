"""The demo's one table: each quantity before and after, asked and got."""

from __future__ import annotations

from collections.abc import Callable

from gossamer.cli.demo.result import DemoResult, Outcome, State
from gossamer.report.table import Table

ASKED_ACCURACY = 0.975
_ENGINES = ("torch", "onnxruntime", "gossamer")


def summarise(result: DemoResult) -> Table:
    """Return the table of all networks."""
    outcomes = result.outcomes
    heads = [f"{outcome.network} {state}" for outcome in outcomes for state in ("before", "after")]
    sparsity = f"{outcomes[0].asked_sparsity:.0%}"
    measured = [name for name in _ENGINES if _is_measured(outcomes, name)]
    rows = [
        _row("test accuracy", f"≥ {ASKED_ACCURACY:.1%}", outcomes, lambda s: f"{s.accuracy:.1%}"),
        _row("parameters", "≤ 150,000", outcomes, lambda s: f"{s.parameters:,}"),
        _row("nonzero weights", "", outcomes, lambda s: f"{s.nonzeros:,}"),
        _row("sparsity", sparsity, outcomes, lambda s: f"{s.sparsity:.1%}"),
        _row("effective MACs", "", outcomes, lambda s: f"{s.effective_macs:,}"),
        _row("file bytes", "", outcomes, lambda s: f"{s.size_bytes:,}"),
        *(_row(f"{name} ms", "", outcomes, _time(name)) for name in measured),
        *(
            _row(f"faster than {name}", "", outcomes, _speedup(name))
            for name in measured
            if name != "gossamer"
        ),
        _pairs("file is smaller by", "", outcomes, _smaller),
        _pairs("same answers as torch", "all", outcomes, lambda o: f"{o.agreeing}/{o.images}"),
    ]
    return Table(("one image, one thread", "asked", *heads), tuple(rows))


def _is_measured(outcomes: tuple[Outcome, ...], engine: str) -> bool:
    return engine in {timing.name for timing in outcomes[0].after.record.timings}


def _row(
    label: str, asked: str, outcomes: tuple[Outcome, ...], show: Callable[[State], str]
) -> tuple[str, ...]:
    states = [state for outcome in outcomes for state in (outcome.before, outcome.after)]
    return (label, asked, *(show(state) for state in states))


def _pairs(
    label: str, asked: str, outcomes: tuple[Outcome, ...], show: Callable[[Outcome], str]
) -> tuple[str, ...]:
    """Return a row of what only exists after compression."""
    return (label, asked, *(cell for outcome in outcomes for cell in ("", show(outcome))))


def _time(engine: str) -> Callable[[State], str]:
    return lambda state: f"{state.record.timing(engine).median_ms:.3f}"


def _speedup(engine: str) -> Callable[[State], str]:
    return lambda state: f"{state.record.speedup_over(engine).median:.1f}×"


def _smaller(outcome: Outcome) -> str:
    return f"{outcome.before.size_bytes / outcome.after.size_bytes:.1f}×"
