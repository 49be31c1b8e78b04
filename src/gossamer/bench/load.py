"""How busy others keep the machine while something is measured. Linux; elsewhere unknown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

_PROC = Path("/proc")
_IDLE_FIELDS = (3, 4)  # idle and waiting for a disk, of the numbers in the first line of /proc/stat
_COUNTED_FIELDS = 8  # the two behind them, time of guests, are in the first two already


class ForeignLoad:
    """Processors' worth of work that other processes did, once the block has ended.

    Attributes:
        mean: on average over the block, ≥ 0; None where it cannot be known.
    """

    mean: float | None = None


@contextmanager
def watch_load() -> Iterator[ForeignLoad]:
    """Watch the machine's other processes during the block.

    Examples:
        >>> with watch_load() as load:
        ...     total = sum(range(1000))
        >>> load.mean is None or load.mean >= 0
        True
    """
    load = ForeignLoad()
    start, before = perf_counter(), _foreign_s()
    yield load
    after, elapsed_s = _foreign_s(), perf_counter() - start
    if before is not None and after is not None:
        load.mean = max(0.0, (after - before) / elapsed_s)


def _foreign_s() -> float | None:
    """Return the processor seconds that others have used since the machine started."""
    try:
        busy = busy_ticks((_PROC / "stat").read_text())
        own = own_ticks(_process_table(), os.getpid())
        return (busy - own) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None


def busy_ticks(stat: str) -> int:
    """Return the ticks in which some processor worked, from the text of `/proc/stat`.

    Examples:
        >>> busy_ticks("cpu 10 1 5 900 40 2 3 0 7 0\\ncpu0 …")
        21
    """
    fields = [int(word) for word in stat.split("\n", 1)[0].split()[1:]][:_COUNTED_FIELDS]
    return sum(ticks for i, ticks in enumerate(fields) if i not in _IDLE_FIELDS)


def own_ticks(processes: dict[int, tuple[int, int]], root: int) -> int:
    """Return the ticks of a process and of its descendants.

    Args:
        processes: number → (number of the parent, ticks).
        root: number of the process.

    Examples:
        >>> own_ticks({1: (0, 50), 7: (1, 10), 8: (7, 5), 9: (1, 99)}, 7)
        15
    """
    children = [number for number, (parent, _) in processes.items() if parent == root]
    return processes[root][1] + sum(own_ticks(processes, child) for child in children)


def _process_table() -> dict[int, tuple[int, int]]:
    """Return number → (parent, ticks used by itself and by its ended children)."""
    table = {}
    for path in _PROC.iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            table[int(path.name)] = (int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))
    return table
