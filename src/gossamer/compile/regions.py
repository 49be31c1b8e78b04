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


@dataclass(frozen=True)
class Place:
    """A member of a region: its tile is `scale` times the region's unit, along each axis."""

    region: Region
    scale: tuple[Fraction, Fraction]

    def after(self, stride: tuple[int, int]) -> Place:
        """Return the place of the output of a window of this stride."""
        return Place(self.region, (self.scale[0] / stride[0], self.scale[1] / stride[1]))


@dataclass(eq=False)
class Region:
    """Planes whose tiles are in proportion.

    Attributes:
        members: (scale along the height, along the width, H, W, weight of the member in the cost).
    """

    members: list[tuple[Fraction, Fraction, int, int, float]] = field(default_factory=list)
    _solution: tuple[int, int, int, int] | None = None

    def start(self) -> Place:
        """Return the place of the first member."""
        return Place(self, (Fraction(1), Fraction(1)))

    def add(self, place: Place, height: int, width: int, cost: float) -> None:
        """Note a member: planes of H×W at `place` whose computation costs `cost` a pixel."""
        self.members.append((*place.scale, height, width, cost))

    def solve(self, lanes: int) -> tuple[int, int, int, int]:
        """Return (split_h, split_w, unit_h, unit_w) with the least work, units for scale 1/D."""
        if self._solution is None:
            splits = [(lanes >> i, 1 << i) for i in range(lanes.bit_length())]
            self._solution = min((self._fit(split) for split in splits), key=self._cost)
        return self._solution

    def _fit(self, split: tuple[int, int]) -> tuple[int, int, int, int]:
        units = []
        for axis in (0, 1):
            scales = [m[axis] * self.denominator(axis) for m in self.members]
            sizes = [m[2 + axis] for m in self.members]
            units.append(
                max(-(-size // int(split[axis] * s)) for s, size in zip(scales, sizes, strict=True))
            )
        return (*split, units[0], units[1])

    def _cost(self, solution: tuple[int, int, int, int]) -> float:
        split_h, split_w, unit_h, unit_w = solution
        vectors = sum(
            m[4] * float(m[0] * self.denominator(0) * unit_h * m[1] * self.denominator(1) * unit_w)
            for m in self.members
        )
        # Ties go to more columns in a tile: they are what a kernel holds in registers.
        return vectors * (1 + 1e-6 * split_w)

    def denominator(self, axis: int) -> int:
        """Return the D that makes every scale · D whole along an axis."""
        return lcm(*(m[axis].denominator for m in self.members))


def planes_at(place: Place, channels: int, height: int, width: int, lanes: int) -> Planes:
    """Return the layout of planes of (C, H, W) at a place of a solved region."""
    split_h, split_w, unit_h, unit_w = place.region.solve(lanes)
    tile_h = place.scale[0] * place.region.denominator(0) * unit_h
    tile_w = place.scale[1] * place.region.denominator(1) * unit_w
    return Planes(channels, height, width, split_h, split_w, int(tile_h), int(tile_w))
