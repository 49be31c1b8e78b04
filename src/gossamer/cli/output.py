"""What a verb prints: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossamer.report.table import Table


def print_json(data: Any) -> None:
    """Print one JSON value."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(table: Table) -> None:
    """Print a table: framed on a terminal, aligned text elsewhere."""
    if sys.stdout is not None and sys.stdout.isatty():
        from rich.console import Console

        Console().print(table.to_rich())
    else:
        print(table.to_text())
