"""Convolutions: every candidate kernel with its streams; measuring chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from gossamer.compile.kernels.elementwise import ElementwiseKernel
from gossamer.compile.lowering.context import Grid, Lowering
from gossamer.compile.lowering.conv_candidates import Candidate, Windows, candidates, fits_exactly
from gossamer.compile.lowering.conv_streams import ConvRows, build_streams, split_rows
from gossamer.compile.lowering.depthwise import depthwise_choices
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.pixel_tiles import overruns, pixel_tiles, tile_echoes
from gossamer.compile.lowering.pointwise import lower_sum, on_planes
from gossamer.compile.readers import window_stride
from gossamer.compile.step import Argument, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.ops import Add, Conv2d

MOST_CHOICES = 6
"""How many candidates are offered for timing."""


def lower_conv2d(lowering: Lowering, node: Node, op: Conv2d) -> None:
    """Add the convolution's step, unless it waits for a sum."""
    if not lowering.places.waits(node):
        _add_step(lowering, node, op, lowering.output_grid(node))


def lower_add(lowering: Lowering, node: Node, op: Add) -> None:
    """Add a sum: if it can be made in place, by the convolution that it waits for."""
    residual = lowering.places.residuals.get(node.name)
    if residual is None:
        lower_sum(lowering, node, op)
        return
    conv, place = residual.conv, lowering.places.homes[node.name]
    assert isinstance(conv.op, Conv2d)  # for the type checker: residuals are of convolutions
    target = lowering.grids[residual.other, place]
    if fits_exactly((target.planes.tile_h, target.planes.tile_w)):
        fused = replace(conv.op, activation=op.activation)
        _add_step(lowering, conv, fused, target, adds=True)
    else:
        own = lowering.output_grid(conv)
        _add_step(lowering, conv, conv.op, own)
        kernel = ElementwiseKernel("add", op.activation)
        on_planes(lowering, node.name, kernel, [own, target], target)
        lowering.wrote(target)
    lowering.grids[node.name, place] = target


def _add_step(
    lowering: Lowering, node: Node, op: Conv2d, target: Grid, *, adds: bool = False
) -> None:
    shape, out_shape = lowering.shapes[node.inputs[0]], lowering.shapes[node.name]
    layout = lowering.graph.weights[node.weights["weight"]]
    kernel = (layout.shape[2], layout.shape[3])
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
    rows = conv_rows(lowering, node, op, source, target)
    tile = (target.planes.tile_h, target.planes.tile_w)
    windows = Windows(
        tile, kernel, op.stride, op.dilation, shape[1] // op.groups, lowering.target.lanes
    )
    echoes = lowering.is_padded(target)
    likely = [
        replace(candidate, kernel=replace(candidate.kernel, echoes=echoes))
        for candidate in candidates(rows, windows, op.activation, adds=adds)[:MOST_CHOICES]
    ]
    pixels = prod(out_shape[2:])
    choices = [
        Choice(
            candidate.kernel,
            partial(_arguments, lowering.threads, candidate, rows, source, target, op),
            f"b{candidate.blocks}",
            pixels * rows.reads(candidate.kernel),
        )
        for candidate in likely
    ]
    if not (adds or echoes):
        choices = depthwise_choices(rows, kernel, op, source, target, lowering.threads) + choices
    buffers, read = (source.buffer, target.buffer), shape[1] * prod(kernel) * pixels
    numbers = min(lowering.numbers(node.inputs[0]), read) + (1 + adds) * lowering.numbers(node.name)
    nonzero = round(macs * layout.density)
    lowering.steps.append(Step(node.name, tuple(choices), buffers, macs, nonzero, numbers))
    lowering.wrote(target)
    if echoes:
        lowering.filled(target, 0.0)


def conv_rows(lowering: Lowering, node: Node, op: Conv2d, source: Grid, target: Grid) -> ConvRows:
    """Return the weight with offsets; scale and bias are folded in."""
    graph = lowering.graph
    layout, scale = graph.weights[node.weights["weight"]], None
    k, channels, height, width = layout.shape
    if "scale" in node.weights:
        scale = graph.weights[node.weights["scale"]].to_dense()
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
        Filters.of(layout, order, scale),
        offsets[:, order],
        target.channel_offsets().astype(np.int64),
        np.ascontiguousarray(bias),
    )


def _arguments(
    threads: int, candidate: Candidate, rows: ConvRows, source: Grid, target: Grid, op: Conv2d
) -> dict[str, Argument]:
    kernel = candidate.kernel
    tiles = pixel_tiles(source.planes, target.planes, op.stride, (kernel.tile_h, kernel.tile_w))
    by_tile = not kernel.by_rows and len(tiles) >= min(len(rows.weight) // kernel.rows, 4 * threads)
    parts = [np.arange(len(rows.weight))] if by_tile else split_rows(rows, threads)
    streams = build_streams(rows, kernel, candidate.blocks, parts, source.planes.column_bytes)
    echoes: Mapping[str, Argument] = dict.fromkeys(("echo_bounds", "echoes", "echo_lanes"), 0)
    if kernel.echoes:
        echoes = tile_echoes(target.planes, (kernel.tile_h, kernel.tile_w))
    return {
        "input": source.buffer,
        "output": target.buffer,
        "tiles": tiles,
        "groups": streams.groups.view(np.uint8),
        "stream": streams.stream,
        "input_row": op.stride[0] * source.planes.row_bytes,
        "output_row": target.planes.row_bytes,
        "tile_shares": _shares(len(tiles), threads, by_tile),
        "block_count": candidate.blocks,
        "block_shares": np.tile(streams.shares, (threads // len(parts), 1, 1)),
        **echoes,
    }


def _shares(units: int, threads: int, split: bool) -> np.ndarray:
    """Share `units` out, or give all of them to every thread."""
    return (
        shares(units, threads) if split else np.tile(np.array([0, units], np.int64), (threads, 1))
    )
