"""A progress bar on standard error; silent where that is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossamer.graph import Graph


@contextmanager
def track_file(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; yields what `gossamer.save` and `gossamer.load` take as `progress`.

    Examples:
        >>> with track_file("reading") as progress:
        ...     progress(1, 2)
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def load_tracked(path: str | Path) -> Graph:
    """Read a graph from a `.goss` or `.onnx` file, and show how far that is."""
    import gossamer

    with track_file(f"reading {Path(path).name}") as progress:
        return gossamer.load(path, progress=progress)


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
