"""A progress bar on standard error; silent where that is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def track(label: str, total: int, *, shown: bool = True) -> Iterator[Callable[[], None]]:
    """Show a bar of `total` steps; yields a function that takes one step.

    Examples:
        >>> with track("counting", 2, shown=False) as advance:
        ...     advance()
        ...     advance()
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)
