"""Steps between real numbers and codes; pools and means of codes."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gossamer.compile.codes import Fusion, levels_of
from gossamer.compile.kernels.code_move import (
    CodeMeanKernel,
    CodePoolKernel,
    DecodeKernel,
    EncodeKernel,
)
from gossamer.compile.kernels.requantise import zero_word
from gossamer.compile.lowering.pixel_tiles import pixel_tiles
from gossamer.compile.readers import window_stride
from gossamer.graph.graph import Node
from gossamer.graph.ops import GlobalAvgPool, MaxPool2d, Quantise

if TYPE_CHECKING:
    from gossamer.compile.lowering.context import Lowering
    from gossamer.compile.regions import Place


def zero_code(op: Quantise) -> int:
    """Return the code of zero; codes count from the lowest level."""
    return op.zero_point - op.low


def fill_of(op: Quantise) -> bytes:
    """Return four codes of zero."""
    return zero_word(zero_code(op)).tobytes()


def encode(lowering: Lowering, node: Node, op: Quantise) -> None:
    """Add a step that rounds real numbers to codes."""
    source = lowering.input_grid(node)
    target = lowering.new_codes(node.name, lowering.places.homes[node.name])
    scale, low, high = levels_of(op)
    channel = np.minimum(np.arange(len(target.channels) * 4), len(source.channels) - 1)
    inputs = source.channel_offsets()[channel].reshape(-1, 4)
    positions = np.stack([source.positions(), target.positions()], axis=1)
    lowering.emit(
        node.name,
        EncodeKernel(),
        {
            "input": source.buffer,
            "output": target.buffer,
            "positions": positions,
            "position_count": len(positions),
            "quads": np.concatenate([inputs, target.channel_offsets()[:, None]], axis=1),
            "levels": np.array([scale, low, high, zero_word(zero_code(op))[0]], np.float32),
            "quad_shares": lowering.channel_shares(len(target.channels)),
        },
        numbers=source.numbers + target.numbers,
    )
    lowering.wrote(target)


def decode(lowering: Lowering, value: str, place: Place) -> None:
    """Add a step that makes real numbers of a value's codes, at the same place."""
    op, source = lowering.code_plan.rounding(value), lowering.codes[value, place]
    assert op is not None
    target = lowering.new_grid(value, place)
    channel = np.arange(len(target.channels))
    positions = np.stack([source.positions(), target.positions()], axis=1)
    channels = [source.channel_offsets()[channel // 4], target.channel_offsets(), 8 * (channel % 4)]
    zero = np.array([zero_code(op)], np.int32).view(np.float32)
    lowering.emit(
        value,
        DecodeKernel(),
        {
            "input": source.buffer,
            "output": target.buffer,
            "positions": positions,
            "position_count": len(positions),
            "channels": np.stack(channels, axis=1).astype(np.int32),
            "levels": np.array([zero[0], op.scale], np.float32),
            "channel_shares": lowering.channel_shares(len(channel)),
        },
        numbers=source.numbers + target.numbers,
    )
    lowering.wrote(target)


def pool_codes(lowering: Lowering, node: Node, fusion: Fusion) -> None:
    """Add a pool of codes; padding is the lowest level, which never wins."""
    op = fusion.maker.op
    assert isinstance(op, MaxPool2d)
    name, place = fusion.maker.name, lowering.places.reads[fusion.maker.name]
    source = lowering.input_codes(fusion.maker.inputs[0], place, bytes(4), name)
    target = lowering.new_codes(node.name, lowering.places.homes[node.name])
    stride = window_stride(fusion.maker, lowering.shapes[name])
    width = min(4, target.planes.tile_w)
    tiles = pixel_tiles(source.planes, target.planes, stride, (1, width))
    rows = (np.arange(op.kernel[0]) * op.dilation[0] - op.padding[0]) * source.planes.row_bytes
    columns = np.arange(op.kernel[1]) * op.dilation[1] - op.padding[1]
    taps = (rows[:, None] + columns * source.planes.column_bytes).ravel().astype(np.int32)
    lowering.emit(
        name,
        CodePoolKernel(width, stride[1]),
        {
            "input": source.buffer,
            "output": target.buffer,
            "tiles": tiles,
            "tile_count": len(tiles),
            "quads": np.stack([source.channel_offsets(), target.channel_offsets()], axis=1),
            "taps": taps,
            "tap_count": len(taps),
            "quad_shares": lowering.channel_shares(len(source.channels)),
        },
        numbers=source.numbers + target.numbers,
    )
    lowering.wrote(target)


def mean_codes(lowering: Lowering, node: Node, op: GlobalAvgPool) -> None:
    """Add the mean of each channel, codes → flat real numbers."""
    value = node.inputs[0]
    rounding = lowering.code_plan.rounding(value)
    assert rounding is not None
    source = lowering.input_codes(value, lowering.places.reads[node.name], None, node.name)
    channel, positions = np.arange(lowering.shapes[value][1]), source.positions()
    pixels = prod(lowering.shapes[value][2:])
    zeros = np.array([zero_code(rounding) * pixels], np.int32).view(np.float32)
    channels = [source.channel_offsets()[channel // 4], 8 * (channel % 4)]
    lowering.emit(
        node.name,
        CodeMeanKernel(),
        {
            "input": source.buffer,
            "output": lowering.new_flat(node.name),
            "positions": positions,
            "position_count": len(positions),
            "inside": np.where(source.planes.pixel_index() >= 0, -1, 0).astype(np.int32),
            "channels": np.stack(channels, axis=1).astype(np.int32),
            "levels": np.array([zeros[0], rounding.scale / pixels], np.float32),
            "channel_shares": lowering.channel_shares(len(channel)),
        },
        numbers=source.numbers + len(channel),
    )
