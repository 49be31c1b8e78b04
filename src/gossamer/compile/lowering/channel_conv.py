"""What a dense convolution with channels in the lanes reads, and which such kernels are tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from gossamer.compile.geometry import Planes
from gossamer.compile.kernels.channel_conv import ChannelConvKernel
from gossamer.compile.lowering.channel_tables import (
    TILE_CYCLES,
    VECTOR_CYCLES,
    block_members,
    block_records,
    bounds,
    echo_tables,
    shared_out,
    tap_cycles,
    tile_shapes,
    tile_table,
    unroll,
)
from gossamer.compile.lowering.conv_streams import ConvRows
from gossamer.compile.lowering.conv_ways import Convolution, Way
from gossamer.compile.step import Argument
from gossamer.runtime.memory import aligned_bytes

SUMS_SHARE = 1.0
"""What the sums of a chunk may take of the first cache."""
TAP_BYTES = 192
"""Of the first cache for each tap of a piece: two or three vectors of weights, and the cache lines
where a tile finds its numbers."""
WHOLE_TURNS = 8
"""Taps that are whole turns, whatever their number."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels that a convolution computes, as this kernel walks them.

    Args:
        used: (places, lanes) bool, which lanes of each vector position lie in the picture.
        inputs: (places, lanes) int32 offset of each of those pixels in the input.
        target: where they are written.
    """

    used: np.ndarray
    inputs: np.ndarray
    target: Planes

    @classmethod
    def of(cls, source: Planes, target: Planes, stride: tuple[int, int]) -> Picture:
        """Return the picture of a convolution from `source` to `target`."""
        rows, columns = np.arange(target.tile_h), np.arange(target.tile_w)
        inputs = source.offsets(rows * stride[0], columns * stride[1]).ravel()
        return cls(
            target.pixel_index().reshape(-1, target.lanes) >= 0,
            (inputs[:, None] + 4 * np.arange(target.lanes)).astype(np.int32),
            target,
        )

    @property
    def outputs(self) -> np.ndarray:
        """(places,) int32 offset of each vector position in the output."""
        rows, columns = np.arange(self.target.tile_h), np.arange(self.target.tile_w)
        return self.target.offsets(rows, columns).ravel().astype(np.int32)

    def chunks(self, vectors: int, cache_bytes: int) -> np.ndarray:
        """Return (chunks + 1,): bounds of about equal chunks whose sums fit the first cache."""
        places, lanes = self.used.shape
        count = -(-places * lanes * 4 * lanes * vectors // int(SUMS_SHARE * cache_bytes))
        return np.arange(count + 1) * places // count


def channel_ways(conv: Convolution) -> Iterator[Way]:
    """Yield the ways whose sums fit the registers, if groups of channels fill their vectors."""
    if conv.op.groups > 1 and conv.rows.group_rows % conv.lanes:
        return
    picture = Picture.of(conv.source.planes, conv.target.planes, conv.op.stride)
    for pixels, vectors in tile_shapes(conv):
        turn = unroll(pixels, vectors, conv.rows.weight.shape[1])
        kernel = ChannelConvKernel(
            pixels, vectors, turn, conv.op.activation, conv.adds, conv.echoes
        )
        chunks = picture.chunks(vectors, conv.caches[0])
        cycles = _cycles(conv.rows, picture, kernel, chunks)
        build = partial(_arguments, conv, picture, kernel, chunks)
        sums_bytes = int(np.diff(chunks).max()) * conv.lanes * vectors * 4 * conv.lanes
        blocks = -(-conv.rows.group_rows // (vectors * conv.lanes))
        yield Way(
            kernel,
            cycles,
            build,
            memory={"sums": sums_bytes},
            reads=conv.pixels * conv.rows.offsets.size * blocks,
        )


def _cycles(
    rows: ConvRows, picture: Picture, kernel: ChannelConvKernel, chunks: np.ndarray
) -> float:
    (places, lanes), taps = picture.used.shape, rows.weight.shape[1]
    blocks = -(-rows.group_rows // (kernel.vectors * lanes)) * len(rows.offsets)
    pixels = np.add.reduceat(picture.used.sum(1), chunks[:-1])
    tiles = int((-(-pixels // kernel.pixels)).sum())
    tile = taps * tap_cycles(kernel.pixels, kernel.vectors) + TILE_CYCLES
    written = places * -(-rows.group_rows // lanes) * lanes * len(rows.offsets)
    return blocks * tiles * tile + written * VECTOR_CYCLES


def _arguments(
    conv: Convolution, picture: Picture, kernel: ChannelConvKernel, limits: np.ndarray
) -> dict[str, Argument]:
    rows, lanes, taps = conv.rows, conv.lanes, conv.rows.weight.shape[1]
    tiles = list(_tiles(picture, kernel, limits))
    members = block_members(rows, kernel.vectors * lanes)
    chunk_of = np.repeat(np.arange(len(tiles)), np.diff(limits))
    echoes = echo_tables(picture.target, chunk_of, len(tiles))
    places = np.stack([limits[:-1], limits[1:]], axis=1)
    chunks = np.concatenate([bounds([*map(len, tiles)]), places, echoes[0]], axis=1)
    return {
        "tiles": np.concatenate(tiles),
        "places": picture.outputs,
        "chunks": chunks.astype(np.int32),
        **shared_out(len(tiles), len(members), conv.threads),
        "blocks": block_records(rows, members, lanes, 4 * members.shape[1] * taps, 4 * taps),
        "weights": _weights(rows, members),
        "taps": rows.offsets.astype(np.int32),
        "tap_count": taps,
        "piece_taps": _piece_taps(conv.caches[0]),
        "ahead_bytes": -(-4 * members.shape[1] // max(1, len(tiles[0]))),
        "echoes": echoes[1],
        "echo_lanes": echoes[2],
    }


def _piece_taps(cache_bytes: int) -> int:
    """Return the taps of a piece: whole turns, however many taps those have."""
    return max(1, cache_bytes // TAP_BYTES // WHOLE_TURNS) * WHOLE_TURNS


def _weights(rows: ConvRows, members: np.ndarray) -> np.ndarray:
    """Return (blocks, taps, channels of a block) float32, aligned."""
    shape = len(members), rows.weight.shape[1], members.shape[1]
    weights = aligned_bytes(4 * members.size * shape[1]).view(np.float32).reshape(shape)
    weights[:] = rows.weight.dense[members].transpose(0, 2, 1)
    return weights


def _tiles(
    picture: Picture, kernel: ChannelConvKernel, chunk_bounds: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the tiles of each chunk, (tiles, 2, pixels) int32; the last repeats its last pixel."""
    slot_bytes = 4 * picture.used.shape[1] * kernel.vectors
    for begin, end in pairwise(chunk_bounds):
        at = np.flatnonzero(picture.used[begin:end].ravel())
        yield tile_table(picture.inputs[begin:end].ravel()[at], at * slot_bytes, kernel.pixels)
