"""What Winograd's kernel with channels in the lanes reads, and which such kernels are tried."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from gossamer.compile.kernels.winograd import WinogradKernel
from gossamer.compile.lowering.channel_tables import (
    TILE_CYCLES,
    VECTOR_CYCLES,
    block_members,
    tap_cycles,
    tile_shapes,
    tile_table,
    unroll,
)
from gossamer.compile.lowering.conv_ways import Convolution, Way
from gossamer.compile.lowering.winograd_windows import (
    UNROLLS,
    Chunk,
    WinogradWindows,
    result_cycles,
    shared_arguments,
    way,
)
from gossamer.compile.step import Argument


def winograd_ways(conv: Convolution, windows: WinogradWindows) -> Iterator[Way]:
    """Yield the ways whose sums fit the registers."""
    op, shape = conv.op, (windows.filter.outputs, conv.kernel[0], conv.op.stride[0])
    for pixels, vectors in tile_shapes(conv):
        tile = pixels, vectors, unroll(pixels, vectors, windows.per_phase, UNROLLS)
        kernel = WinogradKernel(*shape, *tile, op.activation, conv.adds, conv.echoes)
        cycles = _cycles(len(conv.rows.weight), windows, kernel)
        arguments = partial(_arguments, conv, windows, kernel)
        yield way(conv, windows, kernel, cycles, _memory(windows, vectors), arguments)


def _cycles(rows: int, windows: WinogradWindows, kernel: WinogradKernel) -> float:
    places, lanes = windows.picture.used.shape
    vectors, counts = -(-rows // lanes), [len(chunk.pixels) for chunk in windows.chunks]
    tiles = sum(-(-count // kernel.pixels) for count in counts)
    taps = windows.summed * tap_cycles(kernel.pixels, kernel.vectors)
    return -(-vectors // kernel.vectors) * tiles * (
        taps + windows.products * TILE_CYCLES
    ) + vectors * (sum(counts) * result_cycles(windows.filter) + places * lanes * VECTOR_CYCLES)


def _memory(windows: WinogradWindows, vectors: int) -> dict[str, int]:
    lanes = windows.picture.used.shape[1]
    pixels = max(len(chunk.pixels) for chunk in windows.chunks)
    places = max(len(chunk.places) + 1 for chunk in windows.chunks)
    return {
        "products": 4 * lanes * vectors * pixels * windows.products,
        "sums": 4 * lanes * vectors * places * lanes,
    }


def _arguments(
    conv: Convolution, windows: WinogradWindows, kernel: WinogradKernel
) -> dict[str, Argument]:
    lanes, chunks = conv.lanes, windows.chunks
    members = block_members(conv.rows, kernel.vectors * lanes)
    tiles = [_tiles(chunk, kernel, lanes) for chunk in chunks]
    return {
        **shared_arguments(conv, windows, members, [len(part) for part in tiles]),
        "tiles": np.concatenate(tiles),
        "places": windows.picture.outputs[np.concatenate([chunk.places for chunk in chunks])],
        "ahead_bytes": -(-4 * members.shape[1] // max(1, len(tiles[0]))),
        "targets": np.concatenate([_targets(chunk, kernel, lanes) for chunk in chunks]),
    }


def _tiles(chunk: Chunk, kernel: WinogradKernel, lanes: int) -> np.ndarray:
    inputs = 4 * (chunk.pixels[:, 0] * lanes + chunk.pixels[:, 1])
    products = np.arange(len(chunk.pixels)) * (kernel.products * 4 * lanes * kernel.vectors)
    return tile_table(inputs, products, kernel.pixels)


def _targets(chunk: Chunk, kernel: WinogradKernel, lanes: int) -> np.ndarray:
    """Return (pixels, outputs) int32: where the outputs wait to be transposed."""
    at = chunk.targets * lanes + chunk.pixels[:, 1:]
    return (at * (4 * lanes * kernel.vectors)).astype(np.int32)
