"""What `ConvKernel` and its twin of codes read, and which such kernels are tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.conv_candidates import Candidate, Windows, candidates
from gossamer.compile.lowering.conv_streams import Streams, build_streams, split_rows
from gossamer.compile.lowering.conv_ways import Convolution, Factors, Way
from gossamer.compile.lowering.pixel_tiles import pixel_tiles, shares_tiles, tile_echoes
from gossamer.compile.step import Argument, shares

MOST_WAYS = 32
"""Of the likeliest; only few of them are tried."""
MOST_GATED = 3
"""Of ways that take a gate over: each writes its stream while planning."""
NEAR_TILES = 8
"""Tiles of a thread from which on its stream, once read, is near: asking for it takes 2 to 5 % of
the time, and not asking a fifth of the first tile's."""

FAR_BYTES = 6 * 1024**2
"""Of the pictures that a layer reads and writes, from which on they are expected in memory."""
ASKING = 0.98
"""How long a kernel takes then that asks for them, of one that does not: less, or it is not worth
a try."""
_UNSCALED: Mapping[str, Argument] = dict.fromkeys(
    ("factors", "factor_offsets", "scaled", "scaled_bytes"), 0
)


def direct_ways(conv: Convolution) -> Iterator[Way]:
    """Yield the ways with pixels in the lanes, the likeliest first.

    Of a coded weight these are ways that read codes: none, where no zeros are skipped.
    """
    op, planes = conv.op, conv.target.planes
    channels = len(conv.source.channels) // op.groups
    tile = planes.tile_h, planes.tile_w
    windows = Windows(
        tile, conv.kernel, op.stride, op.dilation, channels, conv.lanes, conv.registers, conv.caches
    )  # fmt: skip
    found = candidates(conv.rows, windows, op.activation, adds=conv.adds, echoes=conv.echoes)
    if conv.factors:
        yield from _gated_ways(conv, found)
        return
    firsts = [next((c for c in found if c.kernel.shared == shared), None) for shared in (0, 1)]
    asks = conv.source.picture_bytes + conv.target.picture_bytes >= FAR_BYTES
    rest = [c for c in firsts if c and all(c is not other for other in found[:MOST_WAYS])]
    for candidate in [*found[:MOST_WAYS], *rest]:
        candidate = _with_near_stream(candidate, tile, conv.threads)
        if asks and not candidate.kernel.by_rows:
            yield from _ways(conv, _asking(candidate))
        yield from _ways(conv, candidate)


def _ways(conv: Convolution, candidate: Candidate) -> Iterator[Way]:
    """Yield the way of a candidate, of codes if the weight is coded: none where there is none."""
    kernel = conv.coded.kernel(candidate.kernel) if conv.coded else candidate.kernel
    if kernel is not None:
        reads = conv.pixels * conv.rows.reads(candidate.kernel)
        build = partial(_arguments, conv, candidate)
        yield Way(kernel, candidate.cycles, build, f"b{candidate.blocks}", reads=reads)


def _asking(candidate: Candidate) -> Candidate:
    """Return a candidate that asks for what comes next."""
    kernel = replace(candidate.kernel, asks=True)
    return replace(candidate, kernel=kernel, cycles=ASKING * candidate.cycles)


def _gated_ways(conv: Convolution, found: list[Candidate]) -> Iterator[Way]:
    """Yield few ways that multiply the weights first; their streams are made to know their size."""
    for candidate in found[:MOST_GATED]:
        kernel = replace(candidate.kernel, gated=True, near=True)
        arguments = _arguments(conv, replace(candidate, kernel=kernel))
        stream = arguments["stream"]
        assert isinstance(stream, np.ndarray)  # for the type checker
        yield Way(
            kernel,
            candidate.cycles,
            lambda arguments=arguments: arguments,
            f"b{candidate.blocks}",
            {"scaled": stream.nbytes},
            conv.pixels * conv.rows.reads(kernel),
        )


def _with_near_stream(candidate: Candidate, tile: tuple[int, int], threads: int) -> Candidate:
    """Return a candidate whose kernel does not ask for the stream ahead if many tiles walk it."""
    kernel = candidate.kernel
    tiles = -(-tile[0] // kernel.tile_h) * -(-tile[1] // kernel.tile_w)
    near = tiles >= NEAR_TILES * threads and not (kernel.by_rows or kernel.shared)
    return replace(candidate, kernel=replace(kernel, near=near)) if near else candidate


def _arguments(conv: Convolution, candidate: Candidate) -> dict[str, Argument]:
    kernel, threads, coded = candidate.kernel, conv.threads, conv.coded
    rows = coded.rows if coded else conv.rows
    source, target = conv.source.planes, conv.target.planes
    tiles = pixel_tiles(source, target, conv.op.stride, (kernel.tile_h, kernel.tile_w))
    pixels = len(tiles) * kernel.tile_h * kernel.tile_w
    # Sums of earlier blocks wait in the output: where tiles overlap, one thread's are another's.
    overlaps = candidate.blocks > 1 and pixels > target.tile_h * target.tile_w
    by_tile = not (kernel.by_rows or overlaps) and shares_tiles(
        len(tiles),
        len(rows.weight) // kernel.rows,
        threads,
        weight_bytes=4 * int(rows.counts.sum()),
        picture_bytes=conv.source.picture_bytes,
    )
    parts = [np.arange(len(rows.weight))] if by_tile else split_rows(rows, threads)
    tiles[:, 0] += rows.base
    streams = build_streams(rows, kernel, candidate.blocks, parts, source.column_bytes)
    table: Mapping[str, Argument] = {}
    if coded and (twin := coded.kernel(kernel)):
        streams = coded.streams(streams, kernel, twin)
        table = {"table": coded.table(twin, conv.lanes)}
    echoes: Mapping[str, Argument] = dict.fromkeys(("echo_bounds", "echoes", "echo_lanes"), 0)
    if kernel.echoes:
        echoes = tile_echoes(target, (kernel.tile_h, kernel.tile_w))
    stream, scaling = streams.stream, _UNSCALED
    if conv.factors:
        stream, scaling = _scaling(kernel, streams, conv.factors, source.column_bytes)
    return {
        "tiles": tiles,
        "groups": streams.groups.view(np.uint8),
        "stream": stream,
        "input_row": conv.op.stride[0] * source.row_bytes,
        "output_row": target.row_bytes,
        "tile_shares": _shares(len(tiles), threads, by_tile),
        **_asked(conv, candidate),
        "block_count": candidate.blocks,
        "block_shares": np.tile(streams.shares, (threads // len(parts), 1, 1)),
        **echoes,
        **table,
        **scaling,
    }


def _asked(conv: Convolution, candidate: Candidate) -> dict[str, Argument]:
    """Return what each group of rows asks for of the next tile's input: all channels together."""
    kernel, source = candidate.kernel, conv.source.planes
    channels = len(conv.source.channels)
    groups = candidate.blocks * -(-len(conv.rows.weight) // kernel.rows)
    return {
        "ask_from": (conv.kernel[0] - 1) * conv.op.dilation[0] * source.row_bytes,
        "ask_each": -(-channels // groups) * source.channel_bytes,
        "ask_end": channels * source.channel_bytes,
        "channel_bytes": source.channel_bytes,
    }


def _scaling(
    kernel: ConvKernel, streams: Streams, factors: Factors, vector_bytes: int
) -> tuple[np.ndarray, dict[str, Argument]]:
    """Return the stream in whole vectors, and what says which of its words are multiplied."""
    turn_words = kernel.turn_bytes // 4
    words = -(-len(streams.stream) // vector_bytes) * vector_bytes // 4
    stream, offsets = np.zeros(4 * words, np.uint8), np.full(words, -1, np.int32)
    stream[: len(streams.stream)] = streams.stream
    turns = offsets[: len(streams.taps) * turn_words].reshape(-1, turn_words)
    turns[:, : kernel.turn_weights] = factors.offsets[streams.taps]
    return stream, {"factors": factors.buffer, "factor_offsets": offsets}


def _shares(units: int, threads: int, split: bool) -> np.ndarray:
    """Share `units` out, or give all of them to every thread."""
    return (
        shares(units, threads) if split else np.tile(np.array([0, units], np.int64), (threads, 1))
    )
