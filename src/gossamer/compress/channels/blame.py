"""Which parts of a change are to blame when the whole does not pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Part = TypeVar("Part")


def guilty(parts: Sequence[Part], passes: Callable[[Sequence[Part]], bool]) -> list[Part]:
    """Return the parts that do not pass by themselves, found by halving.

    Where each half passes and the whole does not, all of the whole are returned.

    Args:
        parts: of the change.
        passes: whether some of them, without the others, pass.

    Examples:
        >>> guilty([1, 2, 3, 4, 5], lambda some: 4 not in some)
        [4]
    """
    if not parts or passes(parts):
        return []
    if len(parts) == 1:
        return list(parts)
    middle = len(parts) // 2
    found = [part for half in (parts[:middle], parts[middle:]) for part in guilty(half, passes)]
    return found or list(parts)
