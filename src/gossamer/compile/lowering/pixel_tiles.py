"""Tables of the pixel tiles that a windowed kernel walks."""

from __future__ import annotations

import numpy as np

from gossamer.compile.geometry import Planes

TILES_EACH = 4
"""Of a thread, from which on it hardly matters that one has a tile more than another."""


def pixel_tiles(
    source: Planes, target: Planes, stride: tuple[int, int], tile: tuple[int, int]
) -> np.ndarray:
    """Return (n, 3) int32: input offset, output offset and pixel offset of each tile.

    Tiles of `tile` vectors cover the output; the last ones of a row or column are moved back to
    fit, so that some pixels are computed twice, with the same result. `tile` must not be larger
    than the output's tile.
    """
    rows, columns = (
        _starts(size, step) for size, step in zip((target.tile_h, target.tile_w), tile, strict=True)
    )
    table = (
        source.offsets(rows * stride[0], columns * stride[1]),
        target.offsets(rows, columns),
        (rows[:, None] * target.tile_w + columns[None, :]) * target.column_bytes,
    )
    return np.stack([part.ravel() for part in table], axis=1).astype(np.int32)


def shares_tiles(
    tiles: int, groups: int, threads: int, *, weight_bytes: int, picture_bytes: int
) -> bool:
    """Return whether threads share the tiles of a picture; otherwise they share the groups of rows.

    With tiles of its own, a thread finds most of what it reads in its own caches, where the layer
    before left it, but walks all weights.

    Args:
        tiles: of the picture.
        groups: of rows that are computed together.
        threads: that share the work.
        weight_bytes: that a thread with tiles of its own reads.
        picture_bytes: that a thread with groups of its own reads.
    """
    if tiles >= min(groups, TILES_EACH * threads):
        return True
    return tiles % threads == 0 and weight_bytes <= picture_bytes


def tile_echoes(target: Planes, tile: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return which edge pixels each tile of `pixel_tiles` has, and where they are echoed.

    Returns:
        echo_bounds: (tiles + 1,) int32, where the echoes of each tile begin.
        echoes: (n, 2) int32 byte offsets of the pixels and of their echo.
        echo_lanes: (n, lanes) int32, which lane each lane of the echo copies; −1 for zero.
    """
    table = target.echoes()
    rows, columns = (
        _starts(size, step) for size, step in zip((target.tile_h, target.tile_w), tile, strict=True)
    )
    in_row = (rows[:, None] <= table.rows) & (table.rows < rows[:, None] + tile[0])
    in_column = (columns[:, None] <= table.columns) & (table.columns < columns[:, None] + tile[1])
    in_tile = (in_row[:, None] & in_column[None]).reshape(len(rows) * len(columns), len(table.rows))
    chosen = np.nonzero(in_tile)[1]
    pairs = np.stack([table.sources, table.targets], axis=1)[chosen]
    return {
        "echo_bounds": np.concatenate([[0], np.cumsum(in_tile.sum(1))]).astype(np.int32),
        "echoes": pairs.astype(np.int32),
        "echo_lanes": table.lanes[chosen].astype(np.int32),
    }


def _starts(size: int, step: int) -> np.ndarray:
    """Return starts of windows of `step` that cover 0…size, the last moved back to fit."""
    return np.minimum(np.arange(0, size, step), size - step)


def overruns(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether some window along an axis reads beyond the picture."""
    return padding > 0 or (out - 1) * stride - padding + (kernel - 1) * dilation >= size
