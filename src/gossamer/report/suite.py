"""The suite as tables: multiples beside what is asked, times, differences; and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gossamer.bench.suite.result import Result
from gossamer.bench.suite.row import RIVALS, Asked, Row
from gossamer.report.table import Table

_NOTHING = "–"
_HEADS = {
    "fp32": "over best fp32",
    "int8": "over best int8",
    "deepsparse": "over DeepSparse",
    "mnn": "over MNN",
}


def suite_tables(
    results: Sequence[Result], rows: Iterable[Row], engines: Sequence[str]
) -> tuple[Table, Table, Table]:
    """Return the tables of multiples, of times and of differences."""
    names = ("gossamer", *engines)
    return multiples_table(results, rows), times_table(results, names), differences_table(results)


def suite_page(results: Sequence[Result], rows: Iterable[Row], engines: Sequence[str]) -> str:
    """Return the tables as a Markdown page with machine, versions and what is missing."""
    parts = ["# The suite"]
    records = [result.record for result in results if result.record]
    if records:
        versions = {name: number for r in records for name, number in r.versions.items()}
        listed = ", ".join(f"{name} {number}" for name, number in versions.items())
        parts.append(f"{records[0].machine}; {listed}.")
    limits = [result.limits for result in results if result.limits]
    if limits:
        parts.append(f"One thread at best, when the first row ran: {limits[0]}.")
    tables = suite_tables(results, rows, engines)
    parts += [f"## {table.title}\n\n{table.to_markdown()}" for table in tables]
    missing = missing_lines(results)
    if missing:
        parts.append("## missing\n\n" + "\n".join(f"- {line}" for line in missing))
    return "\n\n".join(parts) + "\n"


def times_table(results: Sequence[Result], engines: Sequence[str]) -> Table:
    """Return a line a result: the median time of each engine in milliseconds, with quartiles."""
    rows = tuple(
        (
            result.row,
            str(result.threads),
            *(_time(result, engine) for engine in engines),
            _NOTHING if result.foreign_load is None else f"{result.foreign_load:.2f}",
        )
        for result in results
    )
    return Table(
        ("network", "threads", *engines, "foreign load"), rows, "median ms (quartiles)", words=1
    )


def multiples_table(results: Sequence[Result], rows: Iterable[Row]) -> Table:
    """Return a line a result: how many times faster we are than the best rival of each kind.

    Each multiple has its quartiles over the rounds, and behind "of" what is asked.
    """
    asked = {(row.name, threads): row.asked.get(threads) for row in rows for threads in row.asked}
    lines = tuple(
        (
            result.row,
            str(result.threads),
            *(_multiple(result, kind, asked.get((result.row, result.threads))) for kind in RIVALS),
            _NOTHING if result.share_of_bound is None else f"{result.share_of_bound:.0%}",
        )
        for result in results
    )
    heads = ("network", "threads", *(_HEADS[kind] for kind in RIVALS), "of bound")
    return Table(heads, lines, "times faster (quartiles) of asked", words=1)


def differences_table(results: Sequence[Result]) -> Table:
    """Return the largest difference of outputs of each engine from ours, and where it was."""
    found: dict[str, tuple[float, str]] = {}
    for result in results:
        for engine, difference in (result.record.differences if result.record else {}).items():
            found[engine] = max(found.get(engine, (0.0, "")), (difference, result.row))
    rows = tuple(
        (engine, row, f"{difference:.1e}")
        for engine, (difference, row) in found.items()
        if engine != "gossamer"
    )
    heads = ("engine", "network", "difference")
    return Table(heads, rows, "largest difference of outputs, relative to the largest", words=2)


def missing_lines(results: Sequence[Result]) -> list[str]:
    """Return a line a reason why something was not measured, with the rows that it concerns."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for engine, reason in result.missing.items():
            reasons.setdefault((engine, reason), []).append(f"{result.row} ({result.threads})")
    return [
        f"{engine} is missing{_where(rows, len(results))}: {reason}"
        for (engine, reason), rows in reasons.items()
    ]


def _where(rows: Sequence[str], everywhere: int) -> str:
    return "" if len(rows) == everywhere else f" from {', '.join(rows)}"


def _time(result: Result, engine: str) -> str:
    if result.record is None or result.median_ms(engine) is None:
        return _NOTHING
    timing = result.record.timing(engine)
    low, high = timing.quartiles_ms
    return f"{timing.median_ms:.3g} ({low:.3g}–{high:.3g})"


def _multiple(result: Result, kind: str, asked: Asked | None) -> str:
    found, wanted = result.multiple(kind), getattr(asked, kind, None)
    text = _NOTHING if found is None else str(found)
    return text if wanted is None else f"{text} of {wanted:g}×"
