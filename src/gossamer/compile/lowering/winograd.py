"""What the Winograd kernel reads, and which such kernels are tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from gossamer.compile.kernels.minimal_filter import MinimalFilter
from gossamer.compile.kernels.winograd import WinogradKernel
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
TRANSFORM_CYCLES = 0.75
"""Of an addition, a read or a write where windows or products are transformed."""
OUTPUTS = {3: (2, 4), 4: (3,), 5: (2,)}
"""Taps along an axis (of a phase) → the outputs of a window along it that are tried. Larger windows
round worse: F(3, 4) and F(4, 3) three times as much as plain sums do, F(4, 4) six times."""
FEWEST_WINDOWS = 32
"""Windows that a weight must serve: fewer would wait for weights, of which there are more than a
filter has. Measuring does not show that, because there the weights are near."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some windows of the picture, with the vector positions that they compute.

    Args:
        windows: (n,) which of all windows.
        places: (m,) vector positions, each in one chunk only.
        pixels: (k, 2) window of the chunk, and lane, where some output lies in the picture.
        targets: (k, outputs) number of the place in this chunk of each of their outputs; m where
            that is computed elsewhere.
    """

    windows: np.ndarray
    places: np.ndarray
    pixels: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True, eq=False)
class WinogradWindows:
    """The windows whose outputs are the vector positions that cover a picture.

    Args:
        channels: of the input, times the phases of a stride.
        filter: what is done along each axis.
        picture: the outputs.
        inputs: (windows,) offset of the first input of each.
        places: (windows, outputs) vector positions of their outputs.
    """

    channels: int
    filter: MinimalFilter
    picture: Picture
    inputs: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, conv: Convolution, outputs: int) -> WinogradWindows:
        """Return windows of so many outputs a side; the last of a side are moved back to fit."""
        source, target, padding = conv.source.planes, conv.target.planes, conv.op.padding
        size, stride = (target.tile_h, target.tile_w), conv.op.stride[0]
        rows, columns = (np.minimum(np.arange(0, n, outputs), n - outputs) for n in size)
        first = (rows[:, None] * size[1] + columns).ravel()
        side = np.arange(outputs)
        return cls(
            len(conv.source.channels) * stride**2,
            MinimalFilter(outputs, -(-conv.kernel[0] // stride)),
            Picture.of(source, target, (1, 1)),
            source.offsets(stride * rows - padding[0], stride * columns - padding[1]).ravel(),
            first[:, None] + (side[:, None] * size[1] + side).ravel(),
        )

    @property
    def products(self) -> int:
        """Of a window and a channel."""
        return self.filter.products**2

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
            "inputs": self.products * self.product_bytes,
            "products": 4 * lanes * vectors * pixels * self.products,
            "sums": 4 * lanes * vectors * places * lanes,
        }

    @cached_property
    def chunks(self) -> list[Chunk]:
        """Chunks whose transformed inputs fit the second cache."""
        each = self.products * self.channels * 4 * self.picture.used.shape[1]
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
    """Yield the ways whose sums fit the registers, for square filters of several taps."""
    op, tile = conv.op, (conv.target.planes.tile_h, conv.target.planes.tile_w)
    square = len({*conv.kernel}) == len({*op.stride}) == 1 and op.dilation == (1, 1)
    if not square or op.groups > 1:
        return
    for outputs in OUTPUTS.get(-(-conv.kernel[0] // op.stride[0]), ()):
        if outputs <= min(tile):
            yield from _ways(conv, WinogradWindows.of(conv, outputs))


def _ways(conv: Convolution, windows: WinogradWindows) -> Iterator[Way]:
    op, outputs = conv.op, windows.filter.outputs
    if sum(len(chunk.pixels) for chunk in windows.chunks) < FEWEST_WINDOWS:
        return
    pairs = windows.channels * len(conv.rows.weight)
    for pixels, vectors in tile_shapes(conv):
        turn = unroll(pixels, vectors, windows.channels)
        shape = (outputs, conv.kernel[0], op.stride[0], pixels, vectors, turn)
        kernel = WinogradKernel(*shape, op.activation, conv.adds, conv.echoes)
        yield Way(
            kernel,
            _cycles(len(conv.rows.weight), windows, kernel),
            partial(_arguments, conv, windows, kernel),
            memory=windows.memory(vectors),
            reads=conv.pixels * windows.channels,
            macs=conv.pixels * pairs * windows.products // outputs**2,
        )


def _cycles(rows: int, windows: WinogradWindows, kernel: WinogradKernel) -> float:
    places, lanes = windows.picture.used.shape
    vectors, chunks = -(-rows // lanes), windows.chunks
    pixels = sum(len(chunk.pixels) for chunk in chunks)
    tiles = sum(-(-len(chunk.pixels) // kernel.pixels) for chunk in chunks)
    tile = windows.channels * tap_cycles(kernel.pixels, kernel.vectors) + TILE_CYCLES
    filter, n = windows.filter, windows.filter.products
    inputs = 2 * n * (np.count_nonzero(filter.input_matrix) - n) + 2 * n * n
    sums = np.count_nonzero(filter.result_matrix) - filter.outputs
    results = (n + filter.outputs) * sums + n * n + 2 * filter.outputs**2
    return (
        len(windows.inputs) * windows.channels * inputs * TRANSFORM_CYCLES
        + -(-vectors // kernel.vectors) * windows.products * tiles * tile
        + vectors * (pixels * results * TRANSFORM_CYCLES + places * lanes * VECTOR_CYCLES)
    )


def _arguments(
    conv: Convolution, windows: WinogradWindows, kernel: WinogradKernel
) -> dict[str, Argument]:
    rows, lanes, chunks = conv.rows, conv.lanes, windows.chunks
    members = block_members(rows, kernel.vectors * lanes)
    weight_bytes = 4 * members.shape[1] * windows.channels * windows.products
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
        "weights": _weights(conv, windows, members),
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
    products = np.arange(len(chunk.pixels)) * (kernel.products * 4 * lanes * kernel.vectors)
    return tile_table(inputs, products, kernel.pixels)


def _targets(chunk: Chunk, kernel: WinogradKernel, lanes: int) -> np.ndarray:
    """Return (pixels, outputs) int32: where the outputs wait to be transposed."""
    at = chunk.targets * lanes + chunk.pixels[:, 1:]
    return (at * (4 * lanes * kernel.vectors)).astype(np.int32)


def _weights(conv: Convolution, windows: WinogradWindows, members: np.ndarray) -> np.ndarray:
    """Return (blocks, products, channels, channels of a block) float32, aligned."""
    filters = np.empty_like(conv.rows.weight.dense)
    filters[:, tap_order(tap_offsets(conv.op, conv.source, conv.kernel))] = conv.rows.weight.dense
    phases = _phases(filters.reshape(len(filters), -1, *conv.kernel), conv.op.stride[0])
    g = windows.filter.filter_matrix
    spread = np.kron(g, g).astype(np.float32)
    products = (phases.reshape(-1, spread.shape[1]) @ spread.T).reshape(*phases.shape[:2], -1)
    shape = len(members), windows.products, windows.channels, members.shape[1]
    weights = aligned_bytes(4 * int(np.prod(shape))).view(np.float32).reshape(shape)
    weights[:] = products[members].transpose(0, 3, 2, 1)
    return weights


def _phases(filters: np.ndarray, stride: int) -> np.ndarray:
    """Return (K, C · stride², taps, taps): the filters of each phase, ended with zeros."""
    k, c, size, _ = filters.shape
    taps = -(-size // stride)
    whole = np.zeros((k, c, taps * stride, taps * stride), filters.dtype)
    whole[:, :, :size, :size] = filters
    parts = whole.reshape(k, c, taps, stride, taps, stride).transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(k, c * stride**2, taps, taps)
