"""Convolutions: every candidate kernel with its streams; measuring chooses among them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.context import Grid, Lowering
from gossamer.compile.lowering.conv_streams import ConvRows, build_streams
from gossamer.compile.lowering.pixel_tiles import overruns, pixel_tiles
from gossamer.compile.places import window_stride
from gossamer.compile.step import Argument, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.ops import Conv2d

SPARSE_BELOW = 0.7
"""Density below which sparse kernels are candidates."""
DENSE_ABOVE = 0.15
"""Density above which dense kernels are candidates; both hold in between, and time decides."""


def lower_conv2d(lowering: Lowering, node: Node, op: Conv2d) -> None:
    """Add the convolution's step."""
    shape, out_shape = lowering.shapes[node.inputs[0]], lowering.shapes[node.name]
    kernel = lowering.graph.weights[node.weights["weight"]].shape[2:]
    macs = op.macs(out_shape, lowering.graph.weight_shapes(node))
    op = replace(op, stride=window_stride(node, out_shape))
    reads_outside = any(
        overruns(
            shape[2 + a], out_shape[2 + a], kernel[a], op.stride[a], op.padding[a], op.dilation[a]
        )
        or (kernel[a] - 1) * op.dilation[a] >= op.stride[a]
        for a in (0, 1)
    )
    source = lowering.input_grid(node, fill=0.0 if reads_outside else None)
    target = lowering.output_grid(node)
    rows = conv_rows(lowering, node, op, source, target)
    layout = lowering.graph.weights[node.weights["weight"]]
    choices = tuple(
        Choice(
            candidate, partial(_arguments, lowering.threads, candidate, rows, source, target, op)
        )
        for candidate in candidate_kernels(lowering, op, rows, target, layout.density)
    )
    buffers = (source.buffer, target.buffer)
    lowering.steps.append(Step(node.name, choices, buffers, macs, round(macs * layout.density)))
    lowering.wrote(target)


def conv_rows(lowering: Lowering, node: Node, op: Conv2d, source: Grid, target: Grid) -> ConvRows:
    """Return the weight with offsets; scale and bias are folded in."""
    graph = lowering.graph
    weight = graph.weights[node.weights["weight"]].to_dense()
    k, channels, height, width = weight.shape
    if "scale" in node.weights:
        weight = weight * graph.weights[node.weights["scale"]].to_dense()[:, None, None, None]
    bias = np.zeros(k, np.float32)
    if "bias" in node.weights:
        bias = graph.weights[node.weights["bias"]].to_dense()
    rows = (np.arange(height) * op.dilation[0] - op.padding[0]) * source.planes.row_bytes
    columns = (np.arange(width) * op.dilation[1] - op.padding[1]) * source.planes.column_bytes
    window = (rows[:, None] + columns[None, :]).ravel()
    inputs = source.channel_offsets().astype(np.int64).reshape(op.groups, channels, 1)
    offsets = (inputs + window).reshape(op.groups, -1)
    # Walk memory forwards: taps in order of their offset (the same for all groups but a constant,
    # unless a permutation lies between; then the order is only good, not perfect).
    order = np.argsort(offsets[0], kind="stable")
    return ConvRows(
        np.ascontiguousarray(weight.reshape(k, -1)[:, order]),
        offsets[:, order],
        target.channel_offsets().astype(np.int64),
        np.ascontiguousarray(bias),
    )


def candidate_kernels(
    lowering: Lowering, op: Conv2d, rows: ConvRows, target: Grid, density: float
) -> list[ConvKernel]:
    """Return the kernels worth trying, the likeliest first."""
    act = op.activation
    registers = 32 if lowering.target.lanes == 16 else 16
    sparse, dense = _row_counts(target, rows.group_rows, registers)
    candidates = []
    if density < SPARSE_BELOW:
        candidates += [
            ConvKernel(r, *_tile(target, r, registers // 2), op.stride[1], False, unroll, act)
            for r, unroll in sparse
        ]
    if density > DENSE_ABOVE or not candidates:
        candidates += [
            ConvKernel(r, *_tile(target, r, registers * 3 // 4), op.stride[1], True, 1, act)
            for r in dense
        ]
    return candidates


def _row_counts(target: Grid, most: int, registers: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return (rows, unroll) of sparse and rows of dense candidates, at most `most` rows.

    A processor needs some eight sums at once to be busy. Large pictures give them as pixels of a
    tile; small ones, of one or two vectors, only as rows.
    """
    vectors = target.planes.tile_h * target.planes.tile_w
    sparse = [(1, 2), (2, 2)]
    dense = [min(most, 4), min(most, 6)]
    if vectors < 8:
        sparse.append((8 // vectors, 1))
        dense.append(min(most, registers * 3 // 4 // vectors))
    return sorted({(min(r, most), u) for r, u in sparse}), sorted(set(dense))


def _tile(target: Grid, rows: int, accumulators: int) -> tuple[int, int]:
    """Return the largest (tile_h, tile_w) that fits the accumulators left for each row."""
    room = max(1, accumulators // rows)
    width = min(room, target.planes.tile_w)
    return min(max(1, room // width), target.planes.tile_h), width


def _arguments(
    threads: int, kernel: ConvKernel, rows: ConvRows, source: Grid, target: Grid, op: Conv2d
) -> dict[str, Argument]:
    groups, stream = build_streams(rows, kernel)
    tiles = pixel_tiles(source.planes, target.planes, op.stride, (kernel.tile_h, kernel.tile_w))
    group_count = 4 * len(groups) // kernel.group_bytes
    by_tile = len(tiles) >= min(group_count, 4 * threads)
    return {
        "input": source.buffer,
        "output": target.buffer,
        "tiles": tiles,
        "groups": groups,
        "stream": stream,
        "input_row": op.stride[0] * source.planes.row_bytes,
        "output_row": target.planes.row_bytes,
        "tile_shares": _shares(len(tiles), threads, by_tile),
        "group_shares": _shares(group_count, threads, not by_tile),
    }


def _shares(units: int, threads: int, split: bool) -> np.ndarray:
    """Share `units` out, or give all of them to every thread."""
    return (
        shares(units, threads) if split else np.tile(np.array([0, units], np.int64), (threads, 1))
    )
