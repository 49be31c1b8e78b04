"""What the Winograd kernel reads, and which such kernels are tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from gossamer.compile.kernels.winograd import PRODUCTS, WinogradKernel
from gossamer.compile.lowering.channel_conv import Picture
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
from gossamer.compile.lowering.conv_ways import Convolution, Way, tap_offsets, tap_order
from gossamer.compile.step import Argument
from gossamer.runtime.memory import aligned_bytes, round_up

INPUT_BYTES = 320 * 1024
"""What the transformed inputs of a chunk may take of the second cache."""
WINDOW_CYCLES, PRODUCT_CYCLES = 45.0, 40.0
"""Of transforming a window of one channel, and the products of a vector of channels."""
FEWEST_WINDOWS = 32
"""Windows that a weight must serve: fewer would wait for weights, of which there are 16/9 as many.
Measuring does not show that, because there the weights are near."""
_SPREAD = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some windows of the picture, with the vector positions that they compute.

    Args:
        windows: (n,) which of all windows.
        places: (m,) vector positions, each in one chunk only.
        pixels: (k, 2) window of the chunk, and lane, where some output lies in the picture.
        targets: (k, 4) number of the place in this chunk of each of their outputs; m where that
            is computed elsewhere.
    """

    windows: np.ndarray
    places: np.ndarray
    pixels: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True, eq=False)
class WinogradWindows:
    """The windows whose outputs are the 2×2 vector positions that cover a picture.

    Args:
        channels: of the input.
        picture: the outputs.
        inputs: (windows,) offset of the first input of each.
        places: (windows, 4) vector positions of their outputs.
    """

    channels: int
    picture: Picture
    inputs: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, conv: Convolution) -> WinogradWindows:
        """Return the windows; the last ones of an odd row or column are moved back to fit."""
        source, target, padding = conv.source.planes, conv.target.planes, conv.op.padding
        size = target.tile_h, target.tile_w
        rows, columns = (np.minimum(np.arange(0, n, 2), n - 2) for n in size)
        first = (rows[:, None] * size[1] + columns).ravel()
        return cls(
            len(conv.source.channels),
            Picture.of(source, target, (1, 1)),
            source.offsets(rows - padding[0], columns - padding[1]).ravel(),
            first[:, None] + [0, 1, size[1], size[1] + 1],
        )

    @property
    def channel_bytes(self) -> int:
        """From one transformed channel to the next: an odd number of cache lines."""
        widest = max(len(chunk.windows) for chunk in self.chunks)
        return round_up(4 * self.picture.used.shape[1] * widest) // 128 * 128 + 64

    @property
    def product_bytes(self) -> int:
        """From the inputs of one product to those of the next: an odd number of cache lines."""
        return self.channels * self.channel_bytes // 128 * 128 + 64

    def memory(self, vectors: int) -> dict[str, int]:
        """Return the bytes of the memories of a thread, for so many vectors of channels."""
        lanes = self.picture.used.shape[1]
        pixels = max(len(chunk.pixels) for chunk in self.chunks)
        places = max(len(chunk.places) + 1 for chunk in self.chunks)
        return {
            "inputs": PRODUCTS * self.product_bytes,
            "products": 4 * lanes * vectors * pixels * PRODUCTS,
            "sums": 4 * lanes * vectors * places * lanes,
        }

    @cached_property
    def chunks(self) -> list[Chunk]:
        """Chunks whose transformed inputs fit the second cache."""
        each = PRODUCTS * self.channels * 4 * self.picture.used.shape[1]
        count = min(len(self.inputs), -(-len(self.inputs) * each // INPUT_BYTES))
        limits = np.arange(count + 1) * len(self.inputs) // count
        seen = np.zeros(len(self.picture.used), bool)
        return [self._chunk(np.arange(*pair), seen) for pair in pairwise(limits)]

    def _chunk(self, windows: np.ndarray, seen: np.ndarray) -> Chunk:
        """Return the chunk of some windows; notes which places were seen."""
        places = self.places[windows]
        own = np.unique(places)
        own = own[~seen[own]]
        seen[own] = True
        pixels = np.argwhere(self.picture.used[places].any(1))
        number = np.full(len(seen), len(own))
        number[own] = np.arange(len(own))
        return Chunk(windows, own, pixels, number[places[pixels[:, 0]]])


def winograd_ways(conv: Convolution) -> Iterator[Way]:
    """Yield the ways whose sums fit the registers, for 3×3 filters of stride 1."""
    op, tile = conv.op, (conv.target.planes.tile_h, conv.target.planes.tile_w)
    plain = op.stride == op.dilation == (1, 1) and op.groups == 1 and conv.kernel == (3, 3)
    if not plain or min(tile) < 2:
        return
    windows = WinogradWindows.of(conv)
    if sum(len(chunk.pixels) for chunk in windows.chunks) < FEWEST_WINDOWS:
        return
    macs = conv.pixels * windows.channels * len(conv.rows.weight) * PRODUCTS // 4
    for pixels, vectors in tile_shapes(conv):
        turn = unroll(pixels, vectors, windows.channels)
        kernel = WinogradKernel(pixels, vectors, turn, op.activation, conv.adds, conv.echoes)
        cycles = _cycles(len(conv.rows.weight), windows, kernel)
        memory = windows.memory(vectors)
        build = partial(_arguments, conv, windows, kernel)
        yield Way(
            kernel, cycles, build, memory=memory, reads=conv.pixels * windows.channels, macs=macs
        )


def _cycles(rows: int, windows: WinogradWindows, kernel: WinogradKernel) -> float:
    places, lanes = windows.picture.used.shape
    vectors, chunks = -(-rows // lanes), windows.chunks
    pixels = sum(len(chunk.pixels) for chunk in chunks)
    tiles = sum(-(-len(chunk.pixels) // kernel.pixels) for chunk in chunks)
    tile = windows.channels * tap_cycles(kernel.pixels, kernel.vectors) + TILE_CYCLES
    return (
        len(windows.inputs) * windows.channels * WINDOW_CYCLES
        + -(-vectors // kernel.vectors) * PRODUCTS * tiles * tile
        + vectors * (pixels * PRODUCT_CYCLES + places * lanes * VECTOR_CYCLES)
    )


def _arguments(
    conv: Convolution, windows: WinogradWindows, kernel: WinogradKernel
) -> dict[str, Argument]:
    rows, lanes, chunks = conv.rows, conv.lanes, windows.chunks
    members = block_members(rows, kernel.vectors * lanes)
    weight_bytes = 4 * members.shape[1] * windows.channels * PRODUCTS
    chunk_of = np.zeros(len(windows.picture.used), int)
    for number, chunk in enumerate(chunks):
        chunk_of[chunk.places] = number
    echoes = echo_tables(windows.picture.target, chunk_of, len(chunks))
    tiles = [_tiles(chunk, kernel, lanes) for chunk in chunks]
    parts = [[getattr(c, name) for c in chunks] for name in ("places", "windows", "pixels")]
    table = [bounds([*map(len, part)]) for part in (tiles, *parts)]
    table.insert(2, echoes[0])
    return {
        "tiles": np.concatenate(tiles),
        "places": windows.picture.outputs[np.concatenate(parts[0])],
        "chunks": np.concatenate(table, axis=1).astype(np.int32),
        **shared_out(len(chunks), len(members), conv.threads),
        "blocks": block_records(rows, members, lanes, weight_bytes, 0),
        "weights": _weights(conv, members),
        "taps": (np.arange(windows.channels) * windows.channel_bytes).astype(np.int32),
        "channels": conv.source.channel_offsets(),
        "channel_count": windows.channels,
        "product_bytes": windows.product_bytes,
        "ahead_bytes": -(-4 * members.shape[1] // max(1, len(tiles[0]))),
        "input_row": conv.source.planes.row_bytes,
        "windows": windows.inputs.astype(np.int32),
        "targets": np.concatenate([_targets(chunk, kernel, lanes) for chunk in chunks]),
        "echoes": echoes[1],
        "echo_lanes": echoes[2],
    }


def _tiles(chunk: Chunk, kernel: WinogradKernel, lanes: int) -> np.ndarray:
    inputs = 4 * (chunk.pixels[:, 0] * lanes + chunk.pixels[:, 1])
    products = np.arange(len(chunk.pixels)) * (PRODUCTS * 4 * lanes * kernel.vectors)
    return tile_table(inputs, products, kernel.pixels)


def _targets(chunk: Chunk, kernel: WinogradKernel, lanes: int) -> np.ndarray:
    """Return (pixels, 4) int32: where the four outputs wait to be transposed."""
    at = chunk.targets * lanes + chunk.pixels[:, 1:]
    return (at * (4 * lanes * kernel.vectors)).astype(np.int32)


def _weights(conv: Convolution, members: np.ndarray) -> np.ndarray:
    """Return (blocks, products, channels, channels of a block) float32, aligned."""
    dense = conv.rows.weight.dense
    filters = np.empty_like(dense)
    filters[:, tap_order(tap_offsets(conv.op, conv.source, conv.kernel))] = dense
    spread = np.einsum("ia,jb->ijab", _SPREAD, _SPREAD).reshape(PRODUCTS, 9).astype(np.float32)
    products = (filters.reshape(-1, 9) @ spread.T).reshape(len(dense), -1, PRODUCTS)
    shape = len(members), PRODUCTS, products.shape[1], members.shape[1]
    weights = aligned_bytes(4 * int(np.prod(shape))).view(np.float32).reshape(shape)
    weights[:] = products[members].transpose(0, 3, 2, 1)
    return weights
