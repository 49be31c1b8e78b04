"""How reading and writing tell how far they are, and how they are told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from os import cpu_count
from typing import TypeAlias, TypeVar

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total) by the thread that reads or writes; what it raises ends the work."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def silent(done: int, total: int) -> None:
    """Say nothing."""


def told(items: Iterable[Item], sizes: Sequence[int], progress: Progress) -> Iterator[Item]:
    """Yield items, and tell after each how much is done.

    Examples:
        >>> list(told("ab", (3, 1), print))
        3 4
        4 4
        ['a', 'b']
    """
    done = 0
    for item, size in zip(items, sizes, strict=True):
        yield item
        done += size
        progress(done, sum(sizes))


def side_by_side(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    sizes: Sequence[int],
    progress: Progress = silent,
) -> list[Result]:
    """Do work on all items in threads, and tell how much is done.

    If one fails, the work is cancelled or interrupted, items that have not begun never do.

    Examples:
        >>> side_by_side(abs, [-1, 2, -3], [1, 1, 1])
        [1, 2, 3]
    """
    with ThreadPoolExecutor(max(1, min(len(items), cpu_count() or 1))) as pool:
        futures = {pool.submit(work, item): size for item, size in zip(items, sizes, strict=True)}
        try:
            done = 0
            for future in as_completed(futures):
                future.result()
                done += futures[future]
                progress(done, sum(sizes))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [future.result() for future in futures]
