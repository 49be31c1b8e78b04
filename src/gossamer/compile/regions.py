"""Which tile size each activation gets: exact lanes need tiles in proportion to the strides.

A region is a set of planes that lie in proportion: a convolution of stride s has output tiles 1/s
of its input tiles. Sizes are unknown while a region grows; `solve` then chooses the split of the
picture over the lanes and the smallest tile that fits every member, by the least wasted work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import lcm

from gossamer.compile.geometry import Halo, Planes

Pair = tuple[int, int]

ECHO_COST = 4.0
"""Of writing one vector of a halo, in multiply-accumulates of a vector."""


@dataclass(frozen=True)
class Place:
    """A place in a region.

    Args:
        region: that it lies in.
        stride: how often its tile goes into the region's first tile, along each axis.
    """

    region: Region
    stride: Pair = (1, 1)

    def after(self, stride: Pair) -> Place:
        """Return the place of the output of a window of this stride."""
        if stride == (1, 1):
            return self
        return Place(self.region, (self.stride[0] * stride[0], self.stride[1] * stride[1]))

    def hold(self, size: Pair, cost: float) -> None:
        """Put planes here: (H, W) in pixels, and the cost of computing a pixel."""
        members, key = self.region.members, (self.stride, size)
        members[key] = members.get(key, 0.0) + cost

    def pad(self, size: Pair, halo: Halo, channels: int) -> None:
        """Let so many planes of (H, W) pixels here have a halo that is written with them."""
        edges, key = self.region.edges, (self.stride, size, halo)
        edges[key] = edges.get(key, 0) + channels

    @property
    def has_room(self) -> bool:
        """Whether planes here keep the first member's tile no larger than its picture.

        Tiles shrink by the stride from member to member and have one pixel at least, so that after
        many strides the first tile would grow beyond all need; then a new region is cheaper.
        """
        stride, size = next(iter(self.region.members), (self.stride, (1, 1)))
        return all(self.stride[a] <= stride[a] * size[a] for a in (0, 1))


@dataclass(frozen=True)
class Solution:
    """How a region is cut.

    Args:
        split: tiles along the height and the width; their product is the number of lanes.
        first: (rows, columns) of the first tile.
    """

    split: Pair
    first: Pair

    def tile(self, stride: Pair) -> Pair:
        """Return (rows, columns) of the tile after a stride from the first one."""
        return self.first[0] // stride[0], self.first[1] // stride[1]


@dataclass(eq=False)
class Region:
    """Planes whose tiles are in proportion.

    Attributes:
        members: (stride, (H, W)) of planes → the cost of computing a pixel of all of them.
        edges: (stride, (H, W), halo) of planes → how many of them have that halo.
    """

    members: dict[tuple[Pair, Pair], float] = field(default_factory=dict)
    edges: dict[tuple[Pair, Pair, Halo], int] = field(default_factory=dict)
    _solution: Solution | None = None

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
        first = []
        for axis in (0, 1):
            whole = lcm(*(stride[axis] for stride, _ in self.members))
            times = max(
                -(-size[axis] // (split[axis] * whole // stride[axis]))
                for stride, size in self.members
            )
            first.append(whole * times)
        return Solution(split, (first[0], first[1]))

    def _cost(self, solution: Solution) -> float:
        work = 0.0
        for (stride, _), cost in self.members.items():
            rows, columns = solution.tile(stride)
            work += cost * rows * columns
        for (stride, size, halo), channels in self.edges.items():
            work += (
                ECHO_COST
                * channels
                * count_echoes(solution.split, solution.tile(stride), size, halo)
            )
        # Ties go to more columns in a tile: they are what a kernel holds in registers.
        return work * (1 + 1e-6 * solution.split[1])


def count_echoes(split: Pair, tile: Pair, size: Pair, halo: Halo) -> int:
    """Return how many entries `Planes.echoes` has.

    They are the vectors outside a tile, and those inside with a lane outside the picture.
    """
    outside = [min(t, s * t - n) for s, t, n in zip(split, tile, size, strict=True)]
    rows, columns = tile[0] + halo.top + halo.bottom, tile[1] + halo.left + halo.right
    return rows * columns - (tile[0] - outside[0]) * (tile[1] - outside[1])


def planes_at(place: Place, channels: int, size: Pair, lanes: int) -> Planes:
    """Return the layout of `channels` planes of (H, W) pixels at a place."""
    solution = place.region.solve(lanes)
    return Planes(channels, *size, *solution.split, *solution.tile(place.stride))
