"""A progress bar that is silent when nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def track(label: str, total: int, *, enabled: bool = True) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error, if that is a terminal.

    Args:
        label: what takes the time.
        total: how many calls of the yielded function complete the bar.
        enabled: False silences it everywhere.

    Yields:
        A function that advances the bar by one; its optional argument is a note to show.

    Examples:
        >>> with track("counting", 2, enabled=False) as advance:
        ...     advance()
        ...     advance("done")
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    show = enabled and console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not show) as bar:
        task = bar.add_task(label, total=total, note="")

        def advance(note: str = "") -> None:
            bar.update(task, advance=1, note=note)

        yield advance
