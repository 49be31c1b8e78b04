"""Arrays that do not depend on the network's input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gossamer.graph.layouts import Dense, Layout, Quantised


@dataclass(frozen=True, eq=False)
class Grid:
    """The integers that a constant was made real from.

    Args:
        integers: int32, the zero point taken off.
        scales: one for all, or one for each place along an axis.
        axis: which axis; None: one scale for all.
    """

    integers: np.ndarray
    scales: np.ndarray
    axis: int | None


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant.

    Args:
        array: of any number type.
        origin: name of the initialiser that it is, None if it was computed.
        grid: where the file holds it as integers.
    """

    array: np.ndarray
    origin: str | None = None
    grid: Grid | None = None

    @cached_property
    def transposed(self) -> Constant:
        """The matrix with its two axes exchanged."""
        grid = self.grid
        if grid is not None:
            axis = None if grid.axis is None else 1 - grid.axis
            grid = Grid(grid.integers.T, grid.scales, axis)
        return Constant(self.array.T, None, grid)

    @cached_property
    def pointwise(self) -> Constant:
        """A matrix (K, C) as the weight (K, C, 1, 1) of a convolution of single pixels."""
        grid, shape = self.grid, (*self.array.shape, 1, 1)
        if grid is not None:
            grid = Grid(grid.integers.reshape(shape), grid.scales, grid.axis)
        return Constant(self.array.reshape(shape), None, grid)

    def layout(self) -> Layout:
        """Return how the graph holds it: by its integers if they are bytes and have their scales.

        Vectors stay real: a bias is added to sums of products, not multiplied.
        """
        grid = self.grid
        if grid is None or self.array.ndim < 2 or grid.axis not in (None, 0):
            return Dense(self.array)
        if grid.integers.min(initial=0) < -128 or grid.integers.max(initial=0) > 127:
            return Dense(self.array)
        return Quantised(grid.integers, np.broadcast_to(grid.scales, len(self.array)))
