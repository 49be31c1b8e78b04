"""Bringing a value to the place where it is read: from flat memory, or from planes elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.move import GatherKernel
from gossamer.compile.kernels.relayout import TOGETHER, RelayoutKernel, TransposeKernel
from gossamer.compile.regions import Place
from gossamer.compile.step import Argument, Buffer

if TYPE_CHECKING:
    from gossamer.compile.lowering.context import Grid, Lowering

MOST_SOURCES = 8
"""Vectors that one is put together from at most; otherwise every lane is read by itself."""


@dataclass(frozen=True, eq=False)
class Moves:
    """Where each lane of some vectors comes from.

    Args:
        positions: (n,) byte offsets of the vectors in a channel.
        sources: (n, lanes) byte offset of each lane in a channel of the source, −1 for zero.
    """

    positions: np.ndarray
    sources: np.ndarray


def bring(lowering: Lowering, value: str, place: Place) -> None:
    """Copy a value to a place, with zeros around it if some reader there wants them."""
    home = lowering.places.homes.get(value)
    if value in lowering.flats or home is None:
        source, plane = lowering.flat(value), prod(lowering.shapes[value][2:])
        at, inputs = 4 * np.arange(plane), 4 * plane * np.arange(lowering.shapes[value][1])
        target = lowering.new_grid(value, place)
        is_padded = lowering.is_padded(target)
        moves = _moves(at, target, is_padded=is_padded)
        _add(lowering, value, source, inputs, target, _transpose(moves))
        if is_padded:
            lowering.filled(target, bytes(4))
    elif home == place:
        lowering.home_grid(value)
    else:
        target = lowering.new_grid(value, place)
        is_padded = lowering.is_padded(target)
        source = lowering.home_grid(value)
        copy_planes(lowering, value, source, target, place, is_padded=is_padded)
        if is_padded:
            lowering.filled(target, bytes(4))


def copy_planes(
    lowering: Lowering,
    value: str,
    source: Grid,
    target: Grid,
    place: Place,
    *,
    is_padded: bool = False,
) -> None:
    """Copy planes, or pixels picked from them, to a place; with zeros around if so asked."""
    stride = lowering.places.pick(value, place)
    pixels = source.pixel_offsets().reshape(source.planes.height, source.planes.width)
    picked = pixels[:: stride[0], :: stride[1]].ravel()
    moves = _moves(picked, target, is_padded=is_padded)
    ways = [_gather(moves)]
    if len(target.channels) // lowering.threads >= TOGETHER:
        ways = _relayout(moves) or ways
    _add(lowering, value, source.buffer, source.channel_offsets(), target, ways)


def _moves(at: np.ndarray, target: Grid, *, is_padded: bool) -> Moves:
    """Return where the lanes of planes come from, if `at` says where each pixel lies."""
    positions, pixels = target.planes.readable() if is_padded else target.planes.tile()
    sources = np.where(pixels < 0, -1, at[pixels]).astype(np.int32)
    return Moves(positions.astype(np.int32), sources)


def _add(
    lowering: Lowering,
    value: str,
    source: Buffer,
    inputs: np.ndarray,
    target: Grid,
    ways: Sequence[Way],
) -> None:
    channels = np.stack([inputs, target.channel_offsets()], 1).astype(np.int32)
    for kernel, tables in ways:
        arguments: dict[str, Argument] = {
            "input": source,
            "output": target.buffer,
            "channels": channels,
            "channel_shares": lowering.channel_shares(len(channels)),
            **tables,
        }
        planes = target.planes
        numbers = 2 * len(channels) * planes.height * planes.width
        lowering.emit(value, kernel, arguments, numbers=numbers)


Way = tuple[Kernel, Mapping[str, Argument]]


def _gather(moves: Moves) -> Way:
    """Read each lane by itself."""
    return GatherKernel(), {
        "positions": moves.positions,
        "position_count": len(moves.positions),
        "sources": moves.sources,
    }


def _transpose(moves: Moves) -> list[Way]:
    """Read rows of pixels where vectors in a row take lanes from them, and gather the rest."""
    firsts, covered = _blocks(moves)
    ways: list[Way] = []
    if firsts:
        blocks = np.concatenate([moves.positions[firsts][:, None], moves.sources[firsts]], axis=1)
        tables = {"blocks": np.ascontiguousarray(blocks), "block_count": len(firsts)}
        ways.append((TransposeKernel(), tables))
    if not covered.all():
        ways.append(_gather(Moves(moves.positions[~covered], moves.sources[~covered])))
    return ways


def _blocks(moves: Moves) -> tuple[list[int], np.ndarray]:
    """Return where blocks of `lanes` positions begin, and which positions they cover.

    In a block, each position lies a vector behind the one before, and its pixels one pixel. The
    last block of a row overlaps the one before.
    """
    lanes = moves.sources.shape[1]
    next_to = np.diff(moves.positions) == 4 * lanes
    next_to &= ((np.diff(moves.sources, axis=0) == 4) & (moves.sources[:-1] >= 0)).all(1)
    steps = np.cumsum(np.append(0, next_to))
    begins = steps[lanes - 1 :] - steps[: max(0, len(steps) - lanes + 1)] == lanes - 1
    firsts, covered = [], np.zeros(len(moves.positions), bool)
    for first in np.flatnonzero(begins):
        ends_row = first + 1 == len(begins) or not begins[first + 1]
        if not covered[first] or (ends_row and not covered[first + lanes - 1]):
            firsts.append(int(first))
            covered[first : first + lanes] = True
    return firsts, covered


def _relayout(moves: Moves) -> list[Way]:
    """Read whole vectors, and put each one together from lanes of them; nothing if of too many."""
    vector_bytes = 4 * moves.sources.shape[1]
    vector = np.where(moves.sources < 0, -1, moves.sources // vector_bytes)
    vectors, lanes = [], []
    while (vector >= 0).any():
        if len(vectors) == MOST_SOURCES:
            return []
        chosen = vector.max(1, keepdims=True)
        mine = (vector == chosen) & (chosen >= 0)
        vectors.append(np.maximum(chosen[:, 0], 0) * vector_bytes)
        lanes.append(np.where(mine, moves.sources % vector_bytes // 4, -1))
        vector = np.where(mine, -1, vector)
    tables = {
        "positions": moves.positions,
        "position_count": len(moves.positions),
        "vectors": np.stack(vectors, axis=1).astype(np.int32),
        "lanes": np.stack(lanes, axis=1).astype(np.int32),
    }
    return [(RelayoutKernel(len(vectors)), tables)]
