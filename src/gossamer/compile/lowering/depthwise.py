"""Depthwise convolutions: the kernel that reads each vector once, as one more choice."""

from __future__ import annotations

from functools import partial

import numpy as np

from gossamer.compile.kernels.depthwise import DepthwiseKernel
from gossamer.compile.lowering.conv_ways import Convolution
from gossamer.compile.lowering.pixel_tiles import pixel_tiles
from gossamer.compile.step import Argument, Choice, shares

WIDEST = 16
"""Output vectors of a tile, which are written out one by one."""
MOST_TAPS = 25


def depthwise_choices(conv: Convolution) -> list[Choice]:
    """Return the ways if each output has one input channel; none if the filter is too big."""
    rows, kernel, op, target = conv.rows, conv.kernel, conv.op, conv.target
    taps = kernel[0] * kernel[1]
    if rows.weight.shape[1] != taps or taps > MOST_TAPS:
        return []
    across = -(-target.planes.tile_w // WIDEST)
    width = -(-target.planes.tile_w // across)
    record = DepthwiseKernel(*kernel, width, op.stride[1], op.dilation[1], op.activation)
    return [Choice(record, partial(_arguments, record, conv))]


def _arguments(kernel: DepthwiseKernel, conv: Convolution) -> dict[str, Argument]:
    rows, op, source, target = conv.rows, conv.op, conv.source, conv.target
    corner = np.repeat(rows.offsets[:, 0], rows.group_rows)
    tiles = pixel_tiles(source.planes, target.planes, op.stride, (1, kernel.tile_w))
    return {
        "input": source.buffer,
        "output": target.buffer,
        "tiles": tiles,
        "tile_count": len(tiles),
        "row_tiles": -(-target.planes.tile_w // kernel.tile_w),
        "channels": np.stack([corner, rows.outputs], axis=1).astype(np.int32),
        "filters": np.concatenate([rows.weight.dense, rows.bias[:, None]], axis=1),
        "tap_row": op.dilation[0] * source.planes.row_bytes,
        "channel_shares": shares(len(rows.weight), conv.threads),
    }
