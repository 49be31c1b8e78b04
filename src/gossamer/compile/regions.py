"""Which tile size each activation gets: exact lanes need tiles in proportion to the strides.

A region is a set of planes that lie in proportion: a convolution of stride s has output tiles 1/s
of its input tiles. Sizes are unknown while a region grows; `solve` then chooses the split of the
picture over the lanes and the smallest tile that fits every member, by the least wasted work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

from gossamer.compile.geometry import Planes

Pair = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """A place in a region: its tile is `scale` times the region's unit, along each axis."""

    region: Region
    scale: tuple[Fraction, Fraction]

    def after(self, stride: Pair) -> Place:
        """Return the place of the output of a window of this stride."""
        return Place(self.region, (self.scale[0] / stride[0], self.scale[1] / stride[1]))


@dataclass(frozen=True)
class Member:
    """Planes of a region: their scale, (H, W) in pixels, and the cost of computing a pixel."""

    scale: tuple[Fraction, Fraction]
    size: Pair
    cost: float


@dataclass(frozen=True)
class Solution:
    """How a region is cut.

    Args:
        split: tiles along the height and the width; their product is the number of lanes.
        unit: (rows, columns) of the tile at scale 1, maybe not whole.
    """

    split: Pair
    unit: tuple[Fraction, Fraction]

    def tile(self, scale: tuple[Fraction, Fraction]) -> Pair:
        """Return (rows, columns) of the tile at a scale."""
        return int(self.unit[0] * scale[0]), int(self.unit[1] * scale[1])


@dataclass(eq=False)
class Region:
    """Planes whose tiles are in proportion."""

    members: list[Member] = field(default_factory=list)
    _solution: Solution | None = None

    def start(self) -> Place:
        """Return the place of the first member."""
        return Place(self, (Fraction(1), Fraction(1)))

    def has_room(self, place: Place) -> bool:
        """Whether planes at this place keep the first member's tile no larger than its picture.

        Tiles shrink by the stride from member to member and have one pixel at least, so that after
        many strides the first tile would grow beyond all need; then a new region is cheaper.
        """
        if not self.members:
            return True
        first = self.members[0]
        return all(first.scale[a] / place.scale[a] <= first.size[a] for a in (0, 1))

    def solve(self, lanes: int) -> Solution:
        """Return the cut with the least work."""
        if self._solution is None:
            splits = [(lanes >> i, 1 << i) for i in range(lanes.bit_length())]
            self._solution = min((self._fit(split) for split in splits), key=self._cost)
        return self._solution

    def cost(self, lanes: int) -> float:
        """Return the work of the best cut, in multiply-accumulates of a vector."""
        return self._cost(self.solve(lanes)) if self.members else 0.0

    def _fit(self, split: Pair) -> Solution:
        """Return the smallest tiles that cover every member and are whole numbers."""
        units = []
        for axis in (0, 1):
            whole = lcm(*(m.scale[axis].denominator for m in self.members))
            steps = max(
                -(-m.size[axis] // int(split[axis] * m.scale[axis] * whole)) for m in self.members
            )
            units.append(Fraction(whole * steps))
        return Solution(split, (units[0], units[1]))

    def _cost(self, solution: Solution) -> float:
        work = 0.0
        for member in self.members:
            rows, columns = solution.tile(member.scale)
            work += member.cost * rows * columns
        # Ties go to more columns in a tile: they are what a kernel holds in registers.
        return work * (1 + 1e-6 * solution.split[1])


def planes_at(place: Place, channels: int, size: Pair, lanes: int) -> Planes:
    """Return the layout of `channels` planes of (H, W) pixels at a place."""
    solution = place.region.solve(lanes)
    return Planes(channels, *size, *solution.split, *solution.tile(place.scale))
