"""Pooling windows and means of planes."""

from __future__ import annotations

import numpy as np

from gossamer.compile.kernels.pool import PlaneMeanKernel, PoolKernel
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.pixel_tiles import pixel_tiles
from gossamer.compile.readers import window_stride
from gossamer.graph.graph import Node
from gossamer.graph.interpret import pool_divisors
from gossamer.graph.ops import AvgPool2d, GlobalAvgPool, MaxPool2d


def lower_pool(lowering: Lowering, node: Node, op: MaxPool2d | AvgPool2d) -> None:
    """Add a pooling step; padding is −∞ for the largest entry and 0 for the mean."""
    is_max = isinstance(op, MaxPool2d)
    dilation = op.dilation if isinstance(op, MaxPool2d) else (1, 1)
    source = lowering.input_grid(node, fill=float("-inf") if is_max else 0.0)
    target = lowering.output_grid(node)
    stride = window_stride(node, lowering.shapes[node.name])
    width = min(4, target.planes.tile_w)
    tiles = pixel_tiles(source.planes, target.planes, stride, (1, width))
    rows = (np.arange(op.kernel[0]) * dilation[0] - op.padding[0]) * source.planes.row_bytes
    columns = (np.arange(op.kernel[1]) * dilation[1] - op.padding[1]) * source.planes.column_bytes
    taps = (rows[:, None] + columns[None, :]).ravel().astype(np.int32)
    lowering.emit(
        node.name,
        PoolKernel("max" if is_max else "mean", width, stride[1]),
        {
            "input": source.buffer,
            "output": target.buffer,
            "tiles": tiles,
            "tile_count": len(tiles),
            "channels": np.stack([source.channel_offsets(), target.channel_offsets()], axis=1),
            "taps": taps,
            "tap_count": len(taps),
            "factors": _factors(lowering, node, op, target.planes.pixel_index()),
            "channel_shares": lowering.channel_shares(len(source.channels)),
        },
    )
    lowering.wrote(target)


def _factors(
    lowering: Lowering, node: Node, op: MaxPool2d | AvgPool2d, pixels: np.ndarray
) -> np.ndarray:
    """Return (tile_h, tile_w, lanes) float32: one over the entries that each mean counts."""
    if isinstance(op, MaxPool2d):
        return np.zeros(1, np.float32)
    divisors = pool_divisors(op, lowering.shapes[node.inputs[0]][2:])
    return np.where(pixels >= 0, 1 / divisors.ravel()[np.maximum(pixels, 0)], 0).astype(np.float32)


def lower_global_avg_pool(lowering: Lowering, node: Node, op: GlobalAvgPool) -> None:
    """Add the mean of each channel, planes → flat."""
    source = lowering.input_grid(node)
    positions = source.positions()
    height, width = lowering.shapes[node.inputs[0]][2:]
    lowering.emit(
        node.name,
        PlaneMeanKernel(),
        {
            "input": source.buffer,
            "output": lowering.new_flat(node.name),
            "positions": positions,
            "position_count": len(positions),
            "inside": np.where(source.planes.pixel_index() >= 0, -1, 0).astype(np.int32),
            "channels": source.channel_offsets(),
            "factor": np.array([1 / (height * width)], np.float32),
            "channel_shares": lowering.channel_shares(len(source.channels)),
        },
    )
