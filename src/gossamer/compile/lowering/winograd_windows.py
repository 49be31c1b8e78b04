"""Cutting a picture into windows for Winograd's algorithm, and what its kernels read alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from gossamer.compile.kernels.minimal_filter import MinimalFilter
from gossamer.compile.kernels.phases import Phases
from gossamer.compile.kernels.winograd import WinogradKernel
from gossamer.compile.lowering.channel_conv import Picture
from gossamer.compile.lowering.channel_tables import block_records, bounds, echo_tables, shared_out
from gossamer.compile.lowering.conv_ways import Convolution, Way, tap_offsets, tap_order
from gossamer.compile.step import Argument
from gossamer.runtime.memory import aligned_bytes, round_up

INPUT_BYTES = 128 * 1024
"""What the transformed inputs of a chunk may take of the second cache."""
TRANSFORM_CYCLES = 0.75
"""Of an addition, a read or a write where windows or products are transformed."""
GROUP = 3
"""Windows that are multiplied together; a chunk has whole groups, so that tiles fit."""
UNROLLS = (2, 3)
"""Channels of a turn, the first that divides those of a phase."""
OUTPUTS = {3: (2, 4), 4: (3,), 5: (2,)}
"""Taps along an axis (of a phase) → the outputs of a window along it that are tried. Larger windows
round worse: F(3, 4) and F(4, 3) three times as much as plain sums do, F(4, 4) six times."""
FEWEST_WINDOWS = 16
"""Windows that a weight must serve for a trial to be worth its time: fewer wait for weights, of
which there are up to four times as many as a filter has."""


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
        phases: of the stride.
        picture: the outputs.
        inputs: (windows,) offset of the first input of each.
        places: (windows, outputs) vector positions of their outputs.
    """

    channels: int
    filter: MinimalFilter
    phases: Phases
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
        side, phases = np.arange(outputs), Phases(conv.kernel[0], stride)
        return cls(
            len(conv.source.channels) * stride**2,
            MinimalFilter(outputs, phases.taps),
            phases,
            Picture.of(source, target, (1, 1)),
            source.offsets(stride * rows - padding[0], stride * columns - padding[1]).ravel(),
            first[:, None] + (side[:, None] * size[1] + side).ravel(),
        )

    @property
    def per_phase(self) -> int:
        """Channels of a phase."""
        return self.channels // len(self.phases.order)

    @property
    def products(self) -> int:
        """Of a window and a channel."""
        return self.filter.products**2

    @cached_property
    def spans(self) -> np.ndarray:
        """(products, 2) int64: (first, end) of the channels that each product sums."""
        last = [i == self.filter.products - 1 for i in range(self.filter.products)]
        found = [self.phases.span(last_row=r, last_column=c) for r in last for c in last]
        return np.array(found) * self.per_phase

    @property
    def summed(self) -> int:
        """Channels of all products."""
        return int((self.spans[:, 1] - self.spans[:, 0]).sum())

    @property
    def channel_bytes(self) -> int:
        """From one transformed channel to the next: an odd number of cache lines."""
        return round_up(4 * self.picture.used.shape[1] * self.most_windows) // 128 * 128 + 64

    @property
    def product_bytes(self) -> int:
        """From the inputs of one product to those of the next: an odd number of cache lines."""
        return self.channels * self.channel_bytes // 128 * 128 + 64

    @property
    def most_windows(self) -> int:
        """Of a chunk."""
        return max(len(chunk.windows) for chunk in self.chunks)

    @cached_property
    def chunks(self) -> list[Chunk]:
        """Chunks whose transformed inputs fit the second cache, of whole groups of windows."""
        each = self.products * self.channels * 4 * self.picture.used.shape[1]
        groups = -(-len(self.inputs) // GROUP)
        count = min(groups, -(-len(self.inputs) * each // INPUT_BYTES))
        limits = np.minimum(GROUP * (np.arange(count + 1) * groups // count), len(self.inputs))
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


def winograd_windows(conv: Convolution) -> Iterator[WinogradWindows]:
    """Yield the windows that are tried: none but for square filters of several taps."""
    op, tile = conv.op, (conv.target.planes.tile_h, conv.target.planes.tile_w)
    square = len({*conv.kernel}) == len({*op.stride}) == 1 and op.dilation == (1, 1)
    if not square or op.groups > 1:
        return
    for outputs in OUTPUTS.get(Phases(conv.kernel[0], op.stride[0]).taps, ()):
        if outputs <= min(tile):
            windows = WinogradWindows.of(conv, outputs)
            if sum(len(chunk.pixels) for chunk in windows.chunks) >= FEWEST_WINDOWS:
                yield windows


def way(
    conv: Convolution,
    windows: WinogradWindows,
    kernel: WinogradKernel,
    cycles: float,
    memory: Mapping[str, int],
    arguments: Callable[[], Mapping[str, Argument]],
) -> Way:
    """Return the way of a kernel.

    Args:
        conv: the convolution.
        windows: of it.
        kernel: that does it.
        cycles: of multiplying, and of writing results.
        memory: that the kernel needs beside the transformed inputs.
        arguments: makes those of the kernel.
    """
    filter, n = windows.filter, windows.filter.products
    inputs = 2 * n * (np.count_nonzero(filter.input_matrix) - n) + 2 * n * n
    return Way(
        kernel,
        len(windows.inputs) * windows.channels * inputs * TRANSFORM_CYCLES + cycles,
        arguments,
        memory={"inputs": windows.products * windows.product_bytes, **memory},
        reads=conv.pixels * windows.channels,
        macs=conv.pixels * len(conv.rows.weight) * windows.summed // filter.outputs**2,
    )


def result_cycles(filter: MinimalFilter) -> float:
    """Return the cycles of making a vector's outputs of its products."""
    sums = np.count_nonzero(filter.result_matrix) - filter.outputs
    n, m = filter.products, filter.outputs
    return ((n + m) * sums + n * n + 2 * m**2) * TRANSFORM_CYCLES


def shared_arguments(
    conv: Convolution, windows: WinogradWindows, members: np.ndarray, tiles: list[int]
) -> dict[str, Argument]:
    """Return the arguments that all kernels have, but for memory.

    Args:
        conv: the convolution.
        windows: of it.
        members: from `block_members`.
        tiles: of each chunk.
    """
    rows, chunks, row_bytes = conv.rows, windows.chunks, 4 * members.shape[1]
    chunk_of = np.zeros(len(windows.picture.used), int)
    for number, chunk in enumerate(chunks):
        chunk_of[chunk.places] = number
    echoes = echo_tables(windows.picture.target, chunk_of, len(chunks))
    parts = [[len(getattr(c, name)) for c in chunks] for name in ("places", "windows", "pixels")]
    table = [bounds(part) for part in (tiles, *parts)]
    table.insert(2, echoes[0])
    return {
        "chunks": np.concatenate(table, axis=1).astype(np.int32),
        **shared_out(len(chunks), len(members), conv.threads),
        "blocks": block_records(rows, members, conv.lanes, row_bytes * windows.summed, 0),
        "weights": _weights(conv, windows, members),
        "taps": (np.arange(windows.channels) * windows.channel_bytes).astype(np.int32),
        "channels": conv.source.channel_offsets(),
        "channel_count": windows.channels,
        "spans": _spans(windows, row_bytes),
        "product_bytes": windows.product_bytes,
        "input_row": conv.source.planes.row_bytes,
        "windows": windows.inputs.astype(np.int32),
        "echoes": echoes[1],
        "echo_lanes": echoes[2],
    }


def _spans(windows: WinogradWindows, row_bytes: int) -> np.ndarray:
    """Return (products, 3) int32: the channels of each product, and where its weights begin."""
    lengths = windows.spans[:, 1] - windows.spans[:, 0]
    offsets = (np.cumsum(lengths) - lengths) * row_bytes
    return np.column_stack([windows.spans, offsets]).astype(np.int32)


def _weights(conv: Convolution, windows: WinogradWindows, members: np.ndarray) -> np.ndarray:
    """Return (blocks, channels of all products, channels of a block) float32, aligned."""
    filters = np.empty_like(conv.rows.weight.dense)
    filters[:, tap_order(tap_offsets(conv.op, conv.source, conv.kernel))] = conv.rows.weight.dense
    phases = _phases(filters.reshape(len(filters), -1, *conv.kernel), windows.phases)
    g = windows.filter.filter_matrix
    spread = np.kron(g, g).astype(np.float32)
    products = (phases.reshape(-1, spread.shape[1]) @ spread.T).reshape(*phases.shape[:2], -1)
    shape = len(members), windows.summed, members.shape[1]
    weights = aligned_bytes(4 * int(np.prod(shape))).view(np.float32).reshape(shape)
    summed = [products[:, first:end, nth] for nth, (first, end) in enumerate(windows.spans)]
    weights[:] = np.concatenate(summed, axis=1)[members].transpose(0, 2, 1)
    return weights


def _phases(filters: np.ndarray, phases: Phases) -> np.ndarray:
    """Return (K, stride² · C, taps, taps): the filters of each phase in order, ended with zeros."""
    k, c, size, _ = filters.shape
    taps, stride = phases.taps, phases.stride
    whole = np.zeros((k, c, taps * stride, taps * stride), filters.dtype)
    whole[:, :, :size, :size] = filters
    parts = [whole[:, :, row::stride, column::stride] for row, column in phases.order]
    return np.concatenate(parts, axis=1)
