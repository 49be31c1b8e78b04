"""Which convolution kernels are worth a try: a rough model of their time ranks them.

The model counts cycles of one thread. A multiply-accumulate costs what reading its vector costs,
and that depends on which cache the input of a tile fits; to it come the reading of weights and
offsets, shared by the vectors of a tile, and the start and end of each group of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from gossamer.compile.kernels.conv import LINE_BYTES, ConvKernel
from gossamer.compile.kernels.turn import QUAD
from gossamer.compile.lowering.conv_streams import LARGEST_NARROW, ConvRows

CACHE_SHARES = (1.0, 0.75)
"""What a tile's input may take of the first and second cache."""
FIRST_CACHE_CYCLES = 0.52
"""Of reading one vector from the first cache and using it."""
FARTHER_CYCLES = (0.01, 0.013)
"""What each byte of a vector adds if it is not in the first cache, and not in the second either."""
GROUP_CYCLES = 10.0
"""Of starting and ending one group of rows, beside its sums."""
SUM_CYCLES = 1.5
"""Of a vector of sums: it is set or read, and stored."""
READ_CYCLES = 0.55
"""Of a read that all vectors of a tile share."""
ROW_CYCLES = 0.1
"""Of each further row of a tile that a weight reads: it lies on a page of its own."""
PLACE_CYCLES = 0.1
"""Of finding the place of an input: saved for all weights of a run but one."""
TOGETHER_CYCLES = 0.03
"""What each further row of a group adds, as a share: it waits for the longest."""
SPARSE_TURNS = ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1))
"""Rows that walk lists of their own together, and weights of each in a turn."""
MOST_BLOCKS = 64
BLOCK_PARTS = (15 / 32, 3 / 4, 9 / 8, 3 / 2)
"""Of the first cache that the input of a block may take: what does not fit is read from farther
away, but larger blocks have fewer sums that wait."""
RUN_ROWS = (1, 2, 4)
"""The same where the weights of a turn are a run of each row."""
Pair = tuple[int, int]
SPARSE_BELOW = 0.7
"""Density below which kernels that skip every zero are candidates."""


@dataclass(frozen=True)
class Windows:
    """The pixels that a convolution computes, in vectors, and what it reads for them.

    Args:
        tile: (rows, columns) of an output tile.
        kernel: (rows, columns) of a filter.
        stride: along rows and columns.
        dilation: along rows and columns.
        channels: read by one group of channels.
        lanes: numbers in a vector.
        registers: vector registers of the machine.
        caches: bytes of the first and second cache.
    """

    tile: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    channels: int
    lanes: int
    registers: int
    caches: Pair

    @cached_property
    def near_bytes(self) -> Pair:
        """What a tile's input may take of the first cache, and of the second."""
        first, second = (int(s * b) for s, b in zip(CACHE_SHARES, self.caches, strict=True))
        return first, second

    def input_bytes(self, tile: Pair) -> int:
        """Bytes of cache lines that the taps of a tile of pixels read, rows of filters apart."""
        return round(self.kernel[0] * tile[0] * self.channels * _row(self, tile[1])[0])

    def bytes_per_read(self, tile: Pair) -> float:
        """Bytes of cache lines a vector that is read: with a stride, lines are used in part."""
        line_bytes, columns = _row(self, tile[1])
        return line_bytes / columns


@lru_cache(maxsize=1024)
def _row(windows: Windows, width: int) -> tuple[float, int]:
    """Return what is read of a row for so many outputs: bytes of lines, and columns.

    A row may begin anywhere in a line: lines are counted on average.
    """
    columns = {
        x * windows.stride[1] + tap * windows.dilation[1]
        for x in range(width)
        for tap in range(windows.kernel[1])
    }
    vector_bytes = 4 * windows.lanes
    per_line = max(1, LINE_BYTES // vector_bytes)
    lines = {(first, (first + x) // per_line) for first in range(per_line) for x in columns}
    return max(LINE_BYTES, vector_bytes) * len(lines) / per_line, len(columns)


@dataclass(frozen=True)
class Candidate:
    """A kernel, the number of blocks its taps come in, and its modelled time."""

    kernel: ConvKernel
    blocks: int
    cycles: float


def candidates(
    rows: ConvRows,
    windows: Windows,
    activation: str,
    *,
    adds: bool = False,
    echoes: bool = False,
) -> list[Candidate]:
    """Return the kernels worth trying, the likeliest to be fast first."""
    found = []
    if rows.density < SPARSE_BELOW:
        found += list(_sparse(rows, windows, activation, adds, echoes))
    found += list(_shared(rows, windows, activation, adds, echoes))
    return sorted(found, key=lambda c: c.cycles)


def fits_exactly(tile: Pair) -> bool:
    """Whether some good tile of pixels covers an output tile without computing a pixel twice."""
    return any(h * w >= min(7, tile[0] * tile[1]) for h, w in _largest_tiles(tile, 28, exact=True))


def _sparse(
    rows: ConvRows, windows: Windows, activation: str, adds: bool, echoes: bool
) -> Iterator[Candidate]:
    is_wide = _is_wide(rows, windows)
    padded = {(1, unroll): _padded(rows.counts, unroll) for _, unroll in SPARSE_TURNS}
    turns = [(*turn, 0) for turn in SPARSE_TURNS]
    if rows.runs:
        length = rows.runs.values.shape[1]
        padded[length, length] = float(rows.runs.values.size)
        turns += [(count, length, rows.step_bytes) for count in RUN_ROWS]
    turns = [turn for turn in turns if turn[0] <= rows.group_rows]
    kernels = _sparse_kernels(windows, tuple(turns), activation, adds, is_wide, echoes)
    for kernel, blocks, tap_cycles in kernels:
        slots = padded[kernel.run, kernel.unroll]
        cycles = slots * (1 + TOGETHER_CYCLES * (kernel.rows - 1)) * tap_cycles
        yield Candidate(kernel, blocks, _total(rows, windows, kernel, blocks, cycles))


@lru_cache(maxsize=256)
def _sparse_kernels(
    windows: Windows,
    turns: tuple[tuple[int, int, int], ...],
    activation: str,
    adds: bool,
    is_wide: bool,
    echoes: bool,
) -> list[tuple[ConvKernel, int, float]]:
    """Return kernels that skip every zero, their blocks, and the cycles of one weight.

    Many layers of a network differ in their weights alone.
    """
    return [
        (kernel, blocks, _tap_cycles(windows, kernel, blocks))
        for count, unroll, step_bytes in turns
        for tile in tiles_of(windows.tile, (windows.registers - 2) // count, exact=adds)
        for blocks in block_counts(windows, tile)
        for kernel in [
            ConvKernel(
                count, *tile, windows.stride[1], False, unroll, activation,
                adds, blocks > 1, is_wide, False, echoes, False, step_bytes,
            )
        ]
    ]  # fmt: skip


def _tap_cycles(windows: Windows, kernel: ConvKernel, blocks: int) -> float:
    """Return the cycles of one weight that is alone with its offset."""
    vectors = kernel.tile_h * kernel.tile_w
    latency = max(1.0, 8 / (kernel.rows * vectors))
    read = read_cycles(windows, (kernel.tile_h, kernel.tile_w), blocks)
    shared_reads = 1 / min(QUAD, kernel.turn_weights) + 2 / kernel.turn_weights
    beside = READ_CYCLES * shared_reads + ROW_CYCLES * (kernel.tile_h - 1)
    beside -= PLACE_CYCLES * (1 - 1 / kernel.run)
    return vectors * read * latency + beside


def _shared(
    rows: ConvRows, windows: Windows, activation: str, adds: bool, echoes: bool
) -> Iterator[Candidate]:
    is_wide = _is_wide(rows, windows)
    for count in (1, 2, 4, 6, 8):
        if count > max(1, rows.group_rows):
            continue
        used = rows.shared_taps(count)
        for tile in tiles_of(windows.tile, (windows.registers - 1) // (count + 1), exact=adds):
            vectors = tile[0] * tile[1]
            unroll = 2 if rows.weight.shape[1] > 1 else 1
            by_rows = 4 * used * count > windows.near_bytes[1] and tile != windows.tile
            kernel = ConvKernel(
                count, *tile, windows.stride[1], True, unroll, activation,
                adds, False, is_wide, by_rows, echoes,
            )  # fmt: skip
            fma = 0.5 * count * vectors * max(1.0, 8 / (count * vectors))
            read = vectors * read_cycles(windows, tile, 1) + 0.5 * count
            yield Candidate(
                kernel, 1, _total(rows, windows, kernel, 1, used * max(fma, read) * 1.05)
            )


def _total(
    rows: ConvRows, windows: Windows, kernel: ConvKernel, blocks: int, tile_cycles: float
) -> float:
    """Add the groups' own time to that of the taps of one tile, and count the tiles."""
    groups = -(-len(rows.weight) // kernel.rows) * blocks
    sums = kernel.rows * kernel.tile_h * kernel.tile_w
    tiles = -(-windows.tile[0] // kernel.tile_h) * -(-windows.tile[1] // kernel.tile_w)
    return tiles * (tile_cycles + groups * (GROUP_CYCLES + SUM_CYCLES * sums))


def _padded(counts: np.ndarray, unroll: int) -> float:
    """Return the taps of all rows, each rounded up to whole turns."""
    return float((np.ceil(counts / unroll) * unroll).sum())


def read_cycles(windows: Windows, tile: Pair, blocks: int) -> float:
    """Return the cycles of using one vector, from the cache that the input of a block fits."""
    size = windows.input_bytes(tile) / blocks
    if blocks == 1:  # rows of filters overlap: what one reads, the next finds
        rows = (tile[0] - 1) * windows.stride[0] + windows.kernel[0]
        size *= min(1.0, rows / (tile[0] * windows.kernel[0]))
    farther = 0.0
    for limit, cycles in zip(windows.near_bytes, FARTHER_CYCLES, strict=True):
        farther += cycles * max(0.0, 1 - limit / size)
    return FIRST_CACHE_CYCLES + farther * windows.bytes_per_read(tile)


def block_counts(windows: Windows, tile: Pair) -> list[int]:
    """Return how many blocks of taps are worth a try: none, or so that their input is near."""
    size = windows.input_bytes(tile)
    wanted = {1, *(-(-size // int(part * windows.near_bytes[0])) for part in BLOCK_PARTS)}
    taps = windows.channels * windows.kernel[0] * windows.kernel[1]
    return sorted(n for n in wanted if n <= min(MOST_BLOCKS, max(1, taps // 8)))


def _is_wide(rows: ConvRows, windows: Windows) -> bool:
    return rows.span_bytes // (4 * windows.lanes) > LARGEST_NARROW


@lru_cache(maxsize=1024)
def tiles_of(tile: Pair, room: int, *, exact: bool) -> list[Pair]:
    """Return tiles that cover an output tile with little overlap: the largest that have room,
    and the largest that have half of it.
    """
    found = {
        best for most in (room, room // 2) for best in _largest_tiles(tile, most, exact=exact)[:2]
    }
    return sorted(found)


def _largest_tiles(tile: Pair, room: int, *, exact: bool) -> list[Pair]:
    found = set()
    for across in range(1, tile[1] + 1):
        width = -(-tile[1] // across)
        if width > room or (exact and tile[1] % width):
            continue
        for down in range(-(-tile[0] // max(1, room // width)), tile[0] + 1):
            height = -(-tile[0] // down)
            if height * width <= room and not (exact and tile[0] % height):
                found.add((height, width))
                break
    return sorted(found, key=lambda t: (-_use(tile, t) * t[0] * t[1], t[0]))


def _use(tile: Pair, part: Pair) -> float:
    """Return the share of computed vectors that are not computed twice."""
    covered = [-(-whole // size) * size for whole, size in zip(tile, part, strict=True)]
    return tile[0] * tile[1] / (covered[0] * covered[1])
