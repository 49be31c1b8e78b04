"""Pooling windows and means of planes."""

from __future__ import annotations

import numpy as np

from gossamer.compile.kernels.pool import TOGETHER, PlaneMeanKernel, PoolKernel
from gossamer.compile.lowering.code_steps import mean_codes
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.pixel_tiles import pixel_tiles
from gossamer.compile.readers import outside_value, window_stride
from gossamer.graph.graph import Node
from gossamer.graph.interpret import pool_divisors
from gossamer.graph.ops import AvgPool2d, GlobalAvgPool, MaxPool2d

COLUMNS = 13
"""Of the input that a tile reads at most, if it has several vectors: they lie in registers."""


def lower_pool(lowering: Lowering, node: Node, op: MaxPool2d | AvgPool2d) -> None:
    """Add a pooling step."""
    is_max = isinstance(op, MaxPool2d)
    dilation = op.dilation if isinstance(op, MaxPool2d) else (1, 1)
    source = lowering.input_grid(node, fill=outside_value(lowering.graph, node))
    target = lowering.output_grid(node)
    stride = window_stride(node, lowering.shapes[node.name])
    reach = (op.kernel[1] - 1) * dilation[1] + 1
    width = min(target.planes.tile_w, max(1, (COLUMNS - reach) // stride[1] + 1))
    corner = op.padding[0] * source.planes.row_bytes + op.padding[1] * source.planes.column_bytes
    tiles = pixel_tiles(source.planes, target.planes, stride, (1, width))
    lowering.emit(
        node.name,
        PoolKernel("max" if is_max else "mean", op.kernel[1], width, stride[1], dilation[1]),
        {
            "input": source.buffer,
            "output": target.buffer,
            "tiles": tiles,
            "tile_count": len(tiles),
            "row_tiles": -(-target.planes.tile_w // width),
            "channels": np.stack(
                [source.channel_offsets() - corner, target.channel_offsets()], axis=1
            ),
            "window_h": op.kernel[0],
            "window_row": dilation[0] * source.planes.row_bytes,
            "factors": _factors(lowering, node, op, target.planes.pixel_index()),
            "channel_shares": lowering.channel_shares(len(source.channels)),
        },
        numbers=lowering.numbers(node.name, *node.inputs),
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
    plan, value = lowering.code_plan, node.inputs[0]
    if value in plan.coded and plan.wants(node, value):
        mean_codes(lowering, node, op)
        return
    source = lowering.input_grid(node)
    positions, inside = source.positions(), source.planes.pixel_index() >= 0
    inside = inside.reshape(len(positions), -1)
    order = np.argsort(~inside.all(1), kind="stable")
    height, width = lowering.shapes[node.inputs[0]][2:]
    lowering.emit(
        node.name,
        PlaneMeanKernel(),
        {
            "input": source.buffer,
            "output": lowering.new_flat(node.name),
            "positions": positions[order],
            "whole_count": int(inside.all(1).sum()) // TOGETHER * TOGETHER,
            "position_count": len(positions),
            "inside": np.where(inside[order], -1, 0).astype(np.int32),
            "channels": source.channel_offsets(),
            "factor": np.array([1 / (height * width)], np.float32),
            "channel_shares": lowering.channel_shares(len(source.channels)),
        },
        numbers=lowering.numbers(node.name, *node.inputs),
    )
