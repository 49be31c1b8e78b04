"""A table as a value, shown on a terminal, as plain text, as Markdown or as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from gossamer.errors import ShapeError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from gossamer.bench.record import Record


@dataclass(frozen=True)
class Table:
    """Rows of text under column heads: first columns of words, then columns of numbers.

    Args:
        columns: heads, ≥ 1.
        rows: as many cells each as there are columns.
        title: above the table, may be empty.
        words: how many columns hold words, ≥ 1; the rest hold numbers and are right-aligned.

    Raises:
        ShapeError: if a row has another number of cells.

    Examples:
        >>> print(Table(("layer", "bytes"), (("conv1", "12"), ("fc", "1,200"))).to_text())
        layer  bytes
        conv1     12
        fc     1,200
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    words: int = 1

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ShapeError(
                    "one cell a column", where=row[:1], got=len(row), expected=len(self.columns)
                )

    def to_text(self) -> str:
        """Return aligned lines without any frame."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        text = [
            "  ".join(
                cell.ljust(width) if column < self.words else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *text] if self.title else text)

    def to_markdown(self) -> str:
        """Return a Markdown table; numbers are right-aligned."""
        rules = ["---" if i < self.words else "---:" for i in range(len(self.columns))]
        lines = [self.columns, rules, *self.rows]
        escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
        return "\n".join(f"| {' | '.join(line)} |" for line in escaped)

    def to_html(self) -> str:
        """Return a `<table>`, every cell escaped."""
        kinds = [" class=words" if i < self.words else "" for i in range(len(self.columns))]
        head = "".join(
            f"<th scope=col{kind}>{escape(column)}</th>"
            for kind, column in zip(kinds, self.columns, strict=True)
        )
        body = "".join(f"<tr>{_html_cells(row, kinds)}</tr>" for row in self.rows)
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return (
            f"<div class=scroll><table>{caption}<thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>"
        )

    def to_rich(self) -> RichTable:
        """Return a table for a rich console."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=self.title or None, box=box.SIMPLE_HEAD, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(Text(column), justify="left" if number < self.words else "right")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table


def _html_cells(row: tuple[str, ...], kinds: list[str]) -> str:
    first, *rest = row
    return f"<th scope=row class=words>{escape(first)}</th>" + "".join(
        f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], rest, strict=True)
    )


def timing_table(record: Record) -> Table:
    """Return one row an engine: median, quartiles, least time, and how many times faster we are."""
    subject = record.timings[0].name
    rows = []
    for timing in record.timings:
        low, high = timing.quartiles_ms
        rows.append(
            (
                timing.name,
                f"{timing.median_ms:.3f}",
                f"{low:.3f}–{high:.3f}",
                f"{timing.min_ms:.3f}",
                "–" if timing.name == subject else str(record.speedup_over(timing.name)),
            )
        )
    shape = "×".join(str(size) for size in record.input_shape)
    threads = f"{record.threads} thread{'s' if record.threads > 1 else ''}"
    return Table(
        ("engine", "median ms", "quartiles ms", "least ms", f"{subject} is faster by"),
        tuple(rows),
        f"{record.network}, input {shape}, {threads}",
    )
