"""Where each pixel of an activation lies: pictures are cut into tiles, one tile a vector lane.

A picture of H×W pixels is cut into `split_h × split_w` equal tiles of `tile_h × tile_w` pixels, one
tile for each lane of a vector register. The vector at tile position (r, x) holds, in lane
(i, j), the pixel (i·tile_h + r, j·tile_w + x). A window tap is then a whole aligned vector at
another tile position, for every stride, as long as the tile of a convolution's input is `stride`
times the tile of its output. Tile positions outside 0…tile_h, 0…tile_w (the *halo*) repeat what
the neighbouring lane holds, and are filled before they are read.

Vectors are ordered by row, then channel, then column: the rows that a window needs lie together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Halo:
    """How many tile positions are readable beyond each edge of a tile."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def union(self, other: Halo) -> Halo:
        """Return the halo that holds both."""
        return Halo(
            max(self.top, other.top),
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing beyond the tile is readable."""
        return self == Halo()


@dataclass(frozen=True, eq=False)
class Echoes:
    """What lies outside tiles or outside the picture, as copies of pixels that lie in tiles.

    Args:
        rows: (n,) tile row that an echo copies.
        columns: (n,) tile column.
        sources: (n,) byte offset of that vector, channel 0.
        targets: (n,) byte offset of the echo.
        lanes: (n, lanes) which lane of the source each lane copies; −1 outside the picture.
    """

    rows: np.ndarray
    columns: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    lanes: np.ndarray


@dataclass(frozen=True)
class Planes:
    """The layout of a (C, H, W) activation in memory.

    Args:
        channels: C.
        height: H in pixels.
        width: W in pixels.
        split_h: tiles along the height; split_h · split_w is the number of lanes.
        split_w: tiles along the width.
        tile_h: rows of a tile, split_h · tile_h ≥ H.
        tile_w: columns of a tile, split_w · tile_w ≥ W.
        halo: readable positions around a tile.
    """

    channels: int
    height: int
    width: int
    split_h: int
    split_w: int
    tile_h: int
    tile_w: int
    halo: Halo = Halo()

    def with_halo(self, halo: Halo) -> Planes:
        """Return the same layout with at least this halo."""
        return replace(self, halo=self.halo.union(halo))

    @property
    def lanes(self) -> int:
        """Lanes of a vector."""
        return self.split_h * self.split_w

    @property
    def column_bytes(self) -> int:
        """Bytes from one column of a tile to the next: one vector."""
        return 4 * self.lanes

    @property
    def channel_bytes(self) -> int:
        """Bytes from one channel to the next."""
        return (self.tile_w + self.halo.left + self.halo.right) * self.column_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes from one row of a tile to the next."""
        return self.channels * self.channel_bytes

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole activation."""
        return (self.tile_h + self.halo.top + self.halo.bottom) * self.row_bytes

    def offset(self, row: int, column: int) -> int:
        """Return the byte offset of channel 0 at a tile position, which may lie in the halo."""
        return (row + self.halo.top) * self.row_bytes + (
            column + self.halo.left
        ) * self.column_bytes

    def offsets(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return (rows, columns) int64: `offset` of every pair of tile rows and columns."""
        return self.offset(0, 0) + (
            rows[:, None] * self.row_bytes + columns[None, :] * self.column_bytes
        )

    def pixel_index(self) -> np.ndarray:
        """Return (tile_h, tile_w, lanes) int32: y·W + x of each pixel, −1 outside the picture."""
        return self._pixel_index(np.arange(self.tile_h), np.arange(self.tile_w))

    def tile(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (n,) byte offsets of the positions of a tile, and (n, lanes) their pixels."""
        return self._positions(np.arange(self.tile_h), np.arange(self.tile_w))

    def readable(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what `tile` does, halo included."""
        return self._positions(
            np.arange(-self.halo.top, self.tile_h + self.halo.bottom),
            np.arange(-self.halo.left, self.tile_w + self.halo.right),
        )

    def halo_table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what fills everything that lies outside a tile or outside the picture.

        Returns:
            moves: (n, 2) int32 byte offsets (to, from) for channel 0. The vector read `from` may
                start in the middle of another: that shifts its lanes.
            inside: (n, lanes) int32, −1 where the vector read is inside the picture, 0 where the
                fill value belongs.
        """
        echoes = self.echoes()
        shift = np.where(echoes.lanes >= 0, echoes.lanes - np.arange(self.lanes), 0)
        shift = shift[np.arange(len(shift)), np.abs(shift).argmax(1)]
        moves = np.stack([echoes.targets, echoes.sources + 4 * shift], axis=1)
        return moves.astype(np.int32), np.where(echoes.lanes >= 0, -1, 0).astype(np.int32)

    def echoes(self) -> Echoes:
        """Return how everything outside a tile or outside the picture follows from the pixels."""
        rows = np.arange(-self.halo.top, self.tile_h + self.halo.bottom)
        columns = np.arange(-self.halo.left, self.tile_w + self.halo.right)
        y, x = self._pixels(rows, columns)
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        (tile_row, home_row), (tile_column, home_column) = (
            np.divmod(rows, self.tile_h),
            np.divmod(columns, self.tile_w),
        )
        shift = tile_row[:, None] * self.split_w + tile_column[None, :]
        lanes = np.where(inside, np.arange(self.lanes) + shift[:, :, None], -1)
        at_home = (tile_row == 0)[:, None] & (tile_column == 0)[None, :]
        needed = ~(at_home & inside.all(axis=2))
        homes = np.broadcast_arrays(home_row[:, None], home_column[None, :])
        # Where nothing is read, any place is safe to read from. What lies in a tile, though outside
        # the picture, belongs to its own place: computing the tile writes there.
        is_safe = inside.any(axis=2) | at_home
        homes = [np.where(is_safe, home, 0)[needed] for home in homes]
        sources = self.offset(0, 0) + homes[0] * self.row_bytes + homes[1] * self.column_bytes
        return Echoes(
            homes[0], homes[1], sources, self.offsets(rows, columns)[needed], lanes[needed]
        )

    def _positions(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = self._pixel_index(rows, columns).reshape(-1, self.lanes)
        return self.offsets(rows, columns).ravel(), pixels

    def _pixel_index(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        y, x = self._pixels(rows, columns)
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        return np.where(inside, y * self.width + x, -1).astype(np.int32)

    def _pixels(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return y and x, (rows, columns, lanes), of the pixels at tile positions."""
        lane = np.arange(self.lanes)
        y = (lane // self.split_w) * self.tile_h + rows[:, None, None] + 0 * columns[None, :, None]
        x = (lane % self.split_w) * self.tile_w + columns[None, :, None] + 0 * rows[:, None, None]
        return y, x


def window_halo(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> Halo:
    """Return the halo that a window over an input needs (only the top and left padding matter).

    Tap k of output row r reads input row r·stride − top + k·dilation; the input tile has `stride`
    times the rows of the output tile, so the last row read is the same number beyond every tile.
    """
    top, left = padding[0], padding[1]
    return Halo(
        top,
        left,
        max(0, (kernel[0] - 1) * dilation[0] - top - stride[0] + 1),
        max(0, (kernel[1] - 1) * dilation[1] - left - stride[1] + 1),
    )
