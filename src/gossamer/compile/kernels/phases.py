"""A filter of stride s as the sum of s² filters of stride 1, each over one *phase* of the inputs.

A phase is every s-th row and column, from one of s rows and one of s columns on. Along an axis its
filter has every s-th tap: all have ⌈size/s⌉, or one less. By Winograd's algorithm the product at
the point at infinity is of the last of ⌈size/s⌉ taps; it is zero, and left out, for filters that
are one shorter along the axis.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phases:
    """The phases of a square filter.

    Args:
        size: taps of the filter along each axis, at least `stride`.
        stride: along both axes.

    Examples:
        >>> Phases(7, 2).order
        ((1, 0), (0, 0), (0, 1), (1, 1))
        >>> Phases(7, 2).span(last_row=True, last_column=False)
        (1, 3)
    """

    size: int
    stride: int

    @property
    def taps(self) -> int:
        """Of the longest filter along an axis."""
        return -(-self.size // self.stride)

    def taps_of(self, phase: int) -> int:
        """Return the taps along an axis of the filter of a row or column of phases."""
        return len(range(phase, self.size, self.stride))

    @property
    def order(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of each, such that those with long rows, long columns, or both, adjoin."""
        places = [divmod(p, self.stride) for p in range(self.stride**2)]
        return tuple(sorted(places, key=self._rank))

    def span(self, *, last_row: bool, last_column: bool) -> tuple[int, int]:
        """Return (first, end), in order, of the phases whose products at a point are not zero.

        Args:
            last_row: whether the point is the one at infinity along the rows' axis.
            last_column: the same along the columns' axis.
        """
        needed = [
            index
            for index, (row, column) in enumerate(self.order)
            if not (last_row and self._is_short(row))
            and not (last_column and self._is_short(column))
        ]
        return needed[0], needed[-1] + 1

    def _is_short(self, phase: int) -> bool:
        return self.taps_of(phase) < self.taps

    def _rank(self, place: tuple[int, int]) -> int:
        """Return 0 if only the row is short, 1 if neither is, 2 if only the column, 3 if both."""
        row, column = map(self._is_short, place)
        return 2 * column + (row == column)
