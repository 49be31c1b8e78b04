"""Convolutions of codes with integer weights, and roundings with all that is made with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np

from gossamer.compile.codes import LIMITS, Fusion, levels_of
from gossamer.compile.kernels.requantise import Epilogue, can_pack, halves, zero_word
from gossamer.compile.lowering.code_candidates import CodeCandidate, code_candidates
from gossamer.compile.lowering.code_linear import encode_flat
from gossamer.compile.lowering.code_steps import encode, fill_of, pool_codes, zero_code
from gossamer.compile.lowering.code_streams import CodeRows, build_code_streams, tap_words
from gossamer.compile.lowering.context import Grid, Lowering
from gossamer.compile.lowering.conv_candidates import Windows
from gossamer.compile.lowering.pixel_tiles import (
    overruns,
    pixel_tiles,
    shares_tiles,
    tile_echoes,
)
from gossamer.compile.lowering.pointwise import lower_pointwise
from gossamer.compile.step import Argument, Buffer, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import Conv2d, MaxPool2d, Quantise

LARGEST_PACKED = 2.0**30
"""Of results, in their levels, that are converted to integers before they are limited."""


@dataclass(frozen=True, eq=False)
class _Ends:
    """Where a convolution of codes reads and writes.

    Args:
        source: planes of quads.
        target: planes of quads, or of channels if the result is real.
        other: planes of quads that are added.
        levels: of the kernel's epilogue.
    """

    source: Grid
    target: Grid
    other: Grid | None
    levels: np.ndarray


def lower_quantise(lowering: Lowering, node: Node, op: Quantise) -> None:
    """Add a rounding: of real numbers, to codes, or with what makes its input."""
    plan = lowering.code_plan
    fusion = plan.fusions.get(node.name)
    if fusion is not None and isinstance(fusion.maker.op, MaxPool2d):
        pool_codes(lowering, node, fusion)
    elif fusion is not None and isinstance(fusion.maker.op, Conv2d):
        _lower_fused(lowering, node, op, fusion)
    elif node.name in plan.coded and fusion is None:
        encode(lowering, node, op)
    elif fusion is None:
        if node.name in plan.flat_coded:
            encode_flat(lowering, node, op)
            if not plan.reads_reals(node.name):
                return
        levels = np.array(levels_of(op), np.float32)
        lower_pointwise(lowering, node, "quantise", "identity", levels)


def lower_code_conv(lowering: Lowering, node: Node, op: Conv2d) -> None:
    """Add a convolution of codes whose result is real numbers."""
    source, factors, terms = _operands(lowering, node, op)
    target = lowering.output_grid(node)
    ends = _Ends(source, target, None, np.zeros(1, np.float32))
    epilogue = Epilogue(codes=False, activation=op.activation)
    _add_step(lowering, node, op, ends, epilogue, factors, terms)
    lowering.wrote(target)


def _lower_fused(lowering: Lowering, node: Node, op: Quantise, fusion: Fusion) -> None:
    """Add a convolution of codes whose result is codes, perhaps with other codes added."""
    conv = fusion.maker
    assert isinstance(conv.op, Conv2d)
    source, factors, terms = _operands(lowering, conv, conv.op)
    target = lowering.new_codes(node.name, lowering.places.homes[node.name])
    scale, low, high = levels_of(op)
    limits = LIMITS.get(fusion.activation)
    # Activations that only limit are limits of the levels, and all is counted in levels.
    unit = scale if limits is not None else 1.0
    bounds = [low, high] if limits is None else _both((low, high), limits, scale)
    zero, limited = zero_code(op), [int(np.rint(bound)) for bound in bounds]
    words = [zero_word(zero), *(halves(number) for number in (*limited, zero))]
    levels = [*bounds, 1 / scale, *(word[0] for word in words)]
    other = None
    if fusion.rounding is not None:
        other, added = _other(lowering, conv, node, fusion, unit)
        levels += added
        unit = fusion.rounding.scale
    activation = "identity" if limits is not None else fusion.activation
    largest = _largest(lowering, conv, fusion, factors, terms) / scale
    packs = can_pack(lowering.target) and largest < LARGEST_PACKED
    is_full = packs and limited == [-zero, 255 - zero]
    epilogue = Epilogue(True, other is not None, activation, packs, is_full)
    factors, terms = factors / unit, terms / unit
    ends = _Ends(source, target, other, np.array(levels, np.float32))
    _add_step(lowering, conv, conv.op, ends, epilogue, factors, terms)
    lowering.wrote(target)
    if lowering.is_padded(target):
        lowering.filled(target, fill_of(op))


def _largest(
    lowering: Lowering, conv: Node, fusion: Fusion, factors: np.ndarray, terms: np.ndarray
) -> float:
    """Return a number that no result exceeds before it is rounded; (K,) make sums real."""
    if fusion.rounding is not None:
        second = lowering.code_plan.rounding(fusion.other)
        assert second is not None
        return 255 * (fusion.rounding.scale + second.scale)
    layout = lowering.graph.weights[conv.weights["weight"]]
    assert isinstance(layout, Quantised)
    sums = 255 * np.abs(layout.integers.reshape(len(factors), -1).astype(np.int64)).sum(1)
    return float((sums * np.abs(factors) + np.abs(terms)).max()) + 1


def _other(
    lowering: Lowering, conv: Node, node: Node, fusion: Fusion, unit: float
) -> tuple[Grid, list[float]]:
    """Return the codes that are added, and the numbers of the epilogue for them."""
    first, second = fusion.rounding, lowering.code_plan.rounding(fusion.other)
    assert isinstance(conv.op, Conv2d)
    assert first is not None
    assert second is not None
    place = lowering.places.homes[node.name]
    other = lowering.input_codes(fusion.other, place, None, node.name)
    scale, low, high = levels_of(first)
    bounds = _both((low, high), LIMITS[conv.op.activation], scale)
    factor = second.scale / unit
    return other, [*bounds, scale / unit, factor, -zero_code(second) * factor]


def _both(
    levels: tuple[float, float], limits: tuple[float, float], scale: float
) -> tuple[float, float]:
    return max(levels[0], limits[0] / scale), min(levels[1], limits[1] / scale)


def _operands(lowering: Lowering, node: Node, op: Conv2d) -> tuple[Grid, np.ndarray, np.ndarray]:
    """Return the codes that a convolution reads, and what makes its sums real: (K,) float64."""
    graph, shapes = lowering.graph, lowering.shapes
    rounding = lowering.code_plan.rounding(node.inputs[0])
    layout = graph.weights[node.weights["weight"]]
    assert rounding is not None
    assert isinstance(layout, Quantised)
    size, out, kernel = shapes[node.inputs[0]][2:], shapes[node.name][2:], layout.shape[2:]
    stride = lowering.stride(node)
    reads_outside = any(
        overruns(size[a], out[a], kernel[a], stride[a], op.padding[a], op.dilation[a])
        or (kernel[a] - 1) * op.dilation[a] >= stride[a]
        for a in (0, 1)
    )
    fill = fill_of(rounding) if reads_outside else None
    place = lowering.places.reads[node.name]
    source = lowering.input_codes(node.inputs[0], place, fill, node.name)
    factors = np.float64(rounding.scale) * layout.scales
    if "scale" in node.weights:
        factors = factors * graph.weights[node.weights["scale"]].to_dense()
    terms = np.zeros(len(factors))
    if "bias" in node.weights:
        terms = graph.weights[node.weights["bias"]].to_dense().astype(np.float64)
    return source, factors, terms


def _add_step(
    lowering: Lowering,
    node: Node,
    op: Conv2d,
    ends: _Ends,
    epilogue: Epilogue,
    factors: np.ndarray,
    terms: np.ndarray,
) -> None:
    layout = lowering.graph.weights[node.weights["weight"]]
    kernel = (layout.shape[2], layout.shape[3])
    op = replace(op, stride=lowering.stride(node))
    rows = _code_rows(lowering, node, op, ends, factors, terms)
    planes = ends.target.planes
    windows = Windows(
        (planes.tile_h, planes.tile_w),
        kernel,
        op.stride,
        op.dilation,
        len(ends.source.channels),
        lowering.target.lanes,
        lowering.target.registers,
        lowering.target.caches,
    )
    echoes = lowering.is_padded(ends.target) and epilogue.codes
    likely = code_candidates(rows, windows, epilogue, lowering.target.dots, echoes=echoes)
    threads = lowering.threads
    of_thread = max(_sums_bytes(found, rows, windows, threads) for found in likely)
    sums = Buffer(f"{node.name} sums", threads * of_thread)
    pixels = prod(lowering.shapes[node.name][2:])
    forms = {(found.kernel.shared, found.kernel.rows) for found in likely}
    read = {form: rows.quads_read(*form) for form in forms}
    choices = tuple(
        Choice(
            found.kernel,
            partial(_arguments, lowering.threads, found, rows, ends, op, sums),
            f"b{found.blocks}",
            pixels * read[found.kernel.shared, found.kernel.rows],
        )
        for found in likely
    )
    grids = [ends.source, ends.target, *([] if ends.other is None else [ends.other])]
    buffers = (*(grid.buffer for grid in grids), sums)
    macs = op.macs(lowering.shapes[node.name], lowering.graph.weight_shapes(node))
    taken = len(ends.source.channels) * prod(kernel) * pixels  # pixels between strides are not
    numbers = min(ends.source.numbers, taken) + sum(grid.numbers for grid in grids[1:])
    nonzero = round(macs * layout.density)
    lowering.steps.append(Step(node.name, choices, buffers, macs, nonzero, numbers))


def _code_rows(
    lowering: Lowering,
    node: Node,
    op: Conv2d,
    ends: _Ends,
    factors: np.ndarray,
    terms: np.ndarray,
) -> CodeRows:
    layout = lowering.graph.weights[node.weights["weight"]]
    rounding = lowering.code_plan.rounding(node.inputs[0])
    assert isinstance(layout, Quantised)
    assert rounding is not None
    planes = ends.source.planes
    rows = (np.arange(layout.shape[2]) * op.dilation[0] - op.padding[0]) * planes.row_bytes
    columns = (np.arange(layout.shape[3]) * op.dilation[1] - op.padding[1]) * planes.column_bytes
    window = (rows[:, None] + columns).ravel().astype(np.int64)
    words, offsets, bases = tap_words(
        layout.integers, op.groups, len(ends.source.channels), planes.channel_bytes, window
    )
    spare = len(words) - len(factors)
    return CodeRows(
        words,
        offsets,
        bases + ends.source.channel_offsets()[0],
        ends.target.channel_offsets().astype(np.int64),
        np.zeros(0, np.int64) if ends.other is None else ends.other.channel_offsets(),
        zero_code(rounding),
        rounding.high - rounding.low,
        np.pad(factors, (0, spare)).astype(np.float32),
        np.pad(terms, (0, spare)).astype(np.float32),
    )


def _sums_bytes(candidate: CodeCandidate, rows: CodeRows, windows: Windows, threads: int) -> int:
    """Return the bytes of the sums of one thread that wait between blocks.

    Each thread's rows, and each run of them that reads the same channels, may end in a group that
    is not full; a group's place is its number among all threads'.
    """
    kernel = candidate.kernel
    if not kernel.blocked:
        return 0
    runs = 1 + int(np.count_nonzero(np.diff(rows.bases)))
    groups = len(rows.words) // kernel.rows + runs + threads - 1
    return groups * kernel.rows * kernel.vectors * 4 * windows.lanes


def _arguments(
    threads: int,
    candidate: CodeCandidate,
    rows: CodeRows,
    ends: _Ends,
    op: Conv2d,
    sums: Buffer,
) -> dict[str, Argument]:
    kernel = candidate.kernel
    source, target, tile = ends.source, ends.target, (kernel.tile_h, kernel.tile_w)
    tiles = pixel_tiles(source.planes, target.planes, op.stride, tile)
    if ends.other is not None:
        tiles[:, 2] = pixel_tiles(ends.other.planes, target.planes, (1, 1), tile)[:, 0]
    fours = np.arange(len(rows.words) // 4)
    by_tile = not kernel.by_rows and shares_tiles(
        len(tiles),
        4 * len(fours) // kernel.rows,
        threads,
        weight_bytes=4 * int(np.count_nonzero(rows.words)),
        picture_bytes=source.picture_bytes,
    )
    parts = [fours] if by_tile else split_fours(rows, threads)
    streams = build_code_streams(rows, kernel, candidate.blocks, parts, source.planes.column_bytes)
    echoes: Mapping[str, Argument] = dict.fromkeys(("echo_bounds", "echoes", "echo_lanes"), 0)
    if kernel.echoes:
        echoes = tile_echoes(target.planes, tile)
    everything = np.tile(np.array([0, len(tiles)], np.int64), (threads, 1))
    return {
        "input": source.buffer,
        "output": target.buffer,
        "other": 0 if ends.other is None else ends.other.buffer,
        "tiles": tiles,
        "groups": streams.groups,
        "stream": streams.stream,
        "levels": ends.levels,
        "input_row": op.stride[0] * source.planes.row_bytes,
        "output_row": target.planes.row_bytes,
        "other_row": 0 if ends.other is None else ends.other.planes.row_bytes,
        "tile_shares": shares(len(tiles), threads) if by_tile else everything,
        "group_shares": np.tile(streams.shares, (threads // len(parts), 1)),
        "block_count": candidate.blocks,
        "block_bytes": streams.groups.shape[1],
        "sums": sums,
        "sums_bytes": sums.size_bytes // threads,
        **echoes,
    }


def split_fours(rows: CodeRows, parts: int) -> list[np.ndarray]:
    """Split the fours of rows into contiguous parts with about as many quads to read each."""
    work = np.cumsum((rows.words != 0).sum(1).reshape(-1, 4).sum(1) + 4)
    bounds = np.searchsorted(work, work[-1] * np.arange(1, parts) / parts)
    return np.split(np.arange(len(work)), bounds)
