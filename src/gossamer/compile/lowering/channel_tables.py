"""Tables and costs that the kernels with channels in the lanes have in common."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gossamer.compile.geometry import Planes
from gossamer.compile.lowering.conv_streams import ConvRows
from gossamer.compile.lowering.conv_ways import Convolution
from gossamer.compile.step import Argument, shares

MOST_PIXELS, MOST_VECTORS = 8, 4
"""Of a tile: each pixel has an address in a register."""
FEWEST_PIXELS = 3
UNROLLED = 16
"""Multiply-accumulates of a tap from which on two taps in a turn gain nothing."""
TILE_CYCLES, VECTOR_CYCLES = 20.0, 1.0
"""Of starting and ending a tile, and of writing one vector of results into planes."""


def tile_shapes(conv: Convolution) -> Iterator[tuple[int, int]]:
    """Yield (pixels, vectors of channels) of tiles: the two largest whose sums fit the registers.

    They are few because each costs some 30 ms of code generation where it is timed.
    """
    for vectors in range(1, min(MOST_VECTORS, -(-conv.rows.group_rows // conv.lanes)) + 1):
        most = min(MOST_PIXELS, (conv.registers - 1) // vectors - 1)
        if most >= FEWEST_PIXELS:
            yield from ((most, vectors), (most - 1, vectors))


def unroll(pixels: int, vectors: int, taps: int, turns: tuple[int, ...] = (2,)) -> int:
    """Return how many taps one turn of the loop has: one of `turns` that divides them, or one."""
    fitting = [turn for turn in turns if taps % turn == 0 and pixels * vectors < UNROLLED]
    return fitting[0] if fitting else 1


def tap_cycles(pixels: int, vectors: int) -> float:
    """Return the cycles of one tap of a tile: arithmetic or reading; small tiles wait for sums."""
    work = 0.5 * max(pixels * vectors, pixels + vectors)
    return work + 0.4 * max(0.0, 6.0 - work)


def block_members(rows: ConvRows, size: int) -> np.ndarray:
    """Return (blocks, size): the channels of each block; a short one repeats its last channel."""
    per_group = -(-rows.group_rows // size)
    number = np.minimum(np.arange(per_group * size), rows.group_rows - 1).reshape(-1, size)
    groups = np.arange(len(rows.offsets))[:, None, None]
    return (groups * rows.group_rows + number).reshape(-1, size)


def block_records(
    rows: ConvRows, members: np.ndarray, lanes: int, weight_bytes: int, tap_bytes: int
) -> np.ndarray:
    """Return the records of blocks of channels.

    Args:
        rows: the weight.
        members: from `block_members`.
        lanes: of a vector.
        weight_bytes: from the weights of one block to those of the next.
        tap_bytes: from the offsets of one group of channels to those of the next.
    """
    size, groups = members.shape[1], len(rows.offsets)
    records = np.zeros(
        len(members),
        [
            ("weights", np.int64),
            ("taps", np.int32),
            ("vectors", np.int32),
            ("outputs", np.int32, (size,)),
            ("bias", np.float32, (size,)),
        ],
    )
    per_group = len(members) // groups
    records["weights"] = np.arange(len(members)) * weight_bytes
    records["taps"] = np.repeat(np.arange(groups), per_group) * tap_bytes
    held = np.minimum(size, rows.group_rows - size * np.arange(per_group))
    records["vectors"] = np.tile(-(-held // lanes), groups)
    records["outputs"], records["bias"] = rows.outputs[members], rows.bias[members]
    return records.view(np.uint8)


def tile_table(inputs: np.ndarray, sums: np.ndarray, pixels: int) -> np.ndarray:
    """Return (tiles, 2, pixels) int32 of offsets of all pixels; a short last tile repeats one."""
    count = -(-len(inputs) // pixels)
    at = np.minimum(np.arange(count * pixels), len(inputs) - 1)
    parts = [part[at].reshape(count, pixels) for part in (inputs, sums)]
    return np.stack(parts, axis=1).astype(np.int32)


def bounds(lengths: list[int]) -> np.ndarray:
    """Return (chunks, 2): (begin, end) of each chunk's part in a table of all."""
    ends = np.cumsum(lengths)
    return np.stack([ends - lengths, ends], axis=1)


def echo_tables(
    target: Planes, chunk_of: np.ndarray, chunks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the (begin, end) of each chunk's echoes, the echoes, and their lanes.

    Args:
        target: where they lie.
        chunk_of: (tile_h · tile_w,) the chunk that writes each vector position.
        chunks: how many there are.
    """
    table = target.echoes()
    of = chunk_of[table.rows * target.tile_w + table.columns]
    order = np.argsort(of, kind="stable")
    pairs = np.stack([table.sources, table.targets], axis=1)[order]
    lengths = np.bincount(of, minlength=chunks).tolist()
    return bounds(lengths), pairs.astype(np.int32), table.lanes[order].astype(np.int32)


def shared_out(chunks: int, blocks: int, threads: int) -> dict[str, Argument]:
    """Share the chunks out over threads, or the blocks if there are few chunks."""
    by_chunks = chunks >= min(blocks, 4 * threads)
    everything = [np.tile([0, n], (threads, 1)).astype(np.int64) for n in (chunks, blocks)]
    return {
        "chunk_shares": shares(chunks, threads) if by_chunks else everything[0],
        "block_shares": everything[1] if by_chunks else shares(blocks, threads),
    }
