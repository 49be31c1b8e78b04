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
    table = (
        source.offsets(rows * stride[0], columns * stride[1]),
        target.offsets(rows, columns),
        (rows[:, None] * target.tile_w + columns[None, :]) * target.column_bytes,
    )
    return np.stack([part.ravel() for part in table], axis=1).astype(np.int32)


def _starts(size: int, step: int) -> np.ndarray:
    """Return starts of windows of `step` that cover 0…size, the last moved back to fit."""
    return np.minimum(np.arange(0, size, step), size - step)


def overruns(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether some window along an axis reads beyond the picture."""
    return padding > 0 or (out - 1) * stride - padding + (kernel - 1) * dilation >= size
