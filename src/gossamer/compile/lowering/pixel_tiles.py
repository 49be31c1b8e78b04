"""Tables of the pixel tiles that a windowed kernel walks."""

from __future__ import annotations

import numpy as np

from gossamer.compile.geometry import Planes


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
    table = [
        (
            source.offset(r * stride[0], x * stride[1]),
            target.offset(r, x),
            (r * target.tile_w + x) * target.column_bytes,
        )
        for r in rows
        for x in columns
    ]
    return np.array(table, np.int32)


def _starts(size: int, step: int) -> list[int]:
    """Return starts of windows of `step` that cover 0…size, the last moved back to fit."""
    return [min(start, size - step) for start in range(0, size, step)]


def overruns(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether some window along an axis reads beyond the picture."""
    return padding > 0 or (out - 1) * stride - padding + (kernel - 1) * dilation >= size
