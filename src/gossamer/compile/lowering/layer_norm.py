"""Layer norms, on planes or flat."""

from __future__ import annotations

import numpy as np

from gossamer.compile.kernels.layer_norm import LayerNormKernel
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.step import Buffer, shares
from gossamer.graph.graph import Node
from gossamer.graph.ops import LayerNorm


def lower_layer_norm(lowering: Lowering, node: Node, op: LayerNorm) -> None:
    """Add a norm over the channels of each pixel."""
    if node.name not in lowering.places.homes:
        offsets = 4 * np.arange(lowering.shapes[node.name][1], dtype=np.int32)
        both = np.stack([offsets, offsets], axis=1)
        source, target = lowering.flat(node.inputs[0]), lowering.new_flat(node.name)
        _emit(lowering, node, op, source, target, both, np.zeros((1, 2), np.int32))
        return
    grid, made = lowering.input_grid(node), lowering.output_grid(node)
    channels = np.stack([grid.channel_offsets(), made.channel_offsets()], axis=1)
    positions = np.stack([grid.positions(), made.positions()], axis=1)
    _emit(lowering, node, op, grid.buffer, made.buffer, channels, positions)
    lowering.wrote(made)


def _emit(
    lowering: Lowering,
    node: Node,
    op: LayerNorm,
    source: Buffer,
    target: Buffer,
    channels: np.ndarray,
    positions: np.ndarray,
) -> None:
    scale, shift = (lowering.graph.weights[node.weights[r]].to_dense() for r in ("scale", "shift"))
    lowering.emit(
        node.name,
        LayerNormKernel(flat=node.name not in lowering.places.homes),
        {
            "input": source,
            "output": target,
            "channels": channels,
            "channel_count": len(channels),
            "positions": positions,
            "scales": scale,
            "shifts": shift,
            "terms": np.array([op.epsilon, 1 / len(channels)], np.float32),
            "position_shares": shares(len(positions), lowering.threads),
        },
        numbers=lowering.numbers(node.name, *node.inputs),
    )
