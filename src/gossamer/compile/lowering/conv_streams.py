"""The weight of a convolution as the streams that `ConvKernel` walks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from gossamer.compile.kernels.conv import ConvKernel

LARGEST_NARROW = 2**16 - 1
"""Largest offset, in vectors, of a stream that is not wide."""


@dataclass(frozen=True, eq=False)
class ConvRows:
    """A convolution's weight with what each entry means for the kernel.

    Args:
        weight: (K, taps) float32; taps are the (C/G, R, S) of a filter, ordered by offset.
        offsets: (G, taps) int64 input byte offset of each tap, one row a group of channels.
        outputs: (K,) output byte offset of each row.
        bias: (K,) float32.
    """

    weight: np.ndarray
    offsets: np.ndarray
    outputs: np.ndarray
    bias: np.ndarray

    @property
    def group_rows(self) -> int:
        """Rows of one group of channels."""
        return len(self.weight) // len(self.offsets)

    @cached_property
    def nonzero(self) -> np.ndarray:
        """(K, taps) bool: where the weight is not zero."""
        return self.weight != 0

    @cached_property
    def counts(self) -> np.ndarray:
        """(K,) nonzeros of each row."""
        return self.nonzero.sum(1)

    @cached_property
    def span_bytes(self) -> int:
        """Largest distance between two taps of one group of channels."""
        if not self.offsets.size:
            return 0
        return int((self.offsets.max(1) - self.offsets.min(1)).max())


@dataclass(frozen=True, eq=False)
class Streams:
    """What a kernel reads.

    Args:
        groups: records of groups of rows.
        stream: turns, as bytes.
        shares: (parts, blocks, 2) int64: (begin, end) of the groups of each part in each block.
    """

    groups: np.ndarray
    stream: np.ndarray
    shares: np.ndarray


def build_streams(
    rows: ConvRows, kernel: ConvKernel, blocks: int, parts: Sequence[np.ndarray], vector_bytes: int
) -> Streams:
    """Write a weight as the kernel reads it.

    Args:
        rows: the weight.
        kernel: that reads.
        blocks: how many blocks the taps come in, ≥ 1.
        parts: rows of each thread; together all rows, each once.
        vector_bytes: the unit of offsets that are not wide.
    """
    writer = _Writer(rows, kernel, vector_bytes)
    bounds = np.arange(blocks + 1) * rows.weight.shape[1] // blocks
    shares = np.empty((len(parts), blocks, 2), np.int64)
    for block, (begin, end) in enumerate(pairwise(bounds)):
        for index, part in enumerate(parts):
            shares[index, block, 0] = writer.group_count
            for chunk in _chunks(rows, part):
                writer.add(chunk, slice(begin, end), block == 0, block == blocks - 1)
            shares[index, block, 1] = writer.group_count
    return Streams(*writer.finish(), shares)


def split_rows(rows: ConvRows, parts: int) -> list[np.ndarray]:
    """Split the rows into contiguous parts with about as many nonzeros each."""
    work = np.cumsum(rows.counts + 1)
    bounds = np.searchsorted(work, work[-1] * np.arange(1, parts) / parts)
    return np.split(np.arange(len(rows.weight)), bounds)


def _chunks(rows: ConvRows, part: np.ndarray) -> list[np.ndarray]:
    """Split rows by the group of channels that they read."""
    edges = np.flatnonzero(np.diff(part // rows.group_rows)) + 1
    return [chunk for chunk in np.split(part, edges) if len(chunk)]


class _Writer:
    """Collects records and turns, block after block."""

    def __init__(self, rows: ConvRows, kernel: ConvKernel, vector_bytes: int) -> None:
        self.group_count = 0
        self._rows, self._kernel = rows, kernel
        self._unit = 1 if kernel.wide else vector_bytes
        self._turn_count = 0
        self._turns: list[np.ndarray] = []
        self._records: list[np.ndarray] = []
        self._turn, self._record = _turn_type(kernel), _record_type(kernel)

    def add(self, chunk: np.ndarray, taps: slice, is_first: bool, is_last: bool) -> None:
        """Add rows that read one group of channels, in one block of taps.

        The first block sets the sums and the last one activates them, so both have all rows.
        """
        members = self._members(chunk, taps)
        used = self._rows.nonzero[members, taps]
        if self._kernel.shared:
            used = np.any(used, axis=1, keepdims=True)
        if not (is_first or is_last):
            kept = np.any(used, axis=(1, 2))
            members, used = members[kept], used[kept]
        if len(members):
            self._write(members, used, taps, is_first)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return records and stream; one turn behind the last is read, but not used."""
        # Joined as bytes: numpy would drop the padding of a turn.
        turns = [turn.view(np.uint8) for turn in (*self._turns, np.zeros(1, self._turn))]
        return np.concatenate(self._records), np.concatenate(turns)

    def _members(self, chunk: np.ndarray, taps: slice) -> np.ndarray:
        """Return (groups, rows): rows computed together; a short last group repeats its last."""
        if not self._kernel.shared:
            # Rows of one group wait for the longest: put equal lengths together.
            counts = self._rows.nonzero[chunk, taps].sum(1)
            chunk = chunk[np.argsort(counts, kind="stable")]
        missing = -len(chunk) % self._kernel.rows
        return np.pad(chunk, (0, missing), mode="edge").reshape(-1, self._kernel.rows)

    def _write(self, members: np.ndarray, used: np.ndarray, taps: slice, with_bias: bool) -> None:
        kernel, rows = self._kernel, self._rows
        counts = used.sum(2)
        turns = -(-counts.max(1) // kernel.unroll)
        table, is_real = _tap_table(used, counts, int(turns.max()) * kernel.unroll)
        table += taps.start
        weights = np.where(is_real, rows.weight[members[:, :, None], table], 0)
        offsets = rows.offsets[members[0, 0] // rows.group_rows][table]
        base = offsets.min((1, 2)) if offsets.size else np.zeros(len(members), np.int64)
        words = np.zeros((len(members), int(turns.max())), self._turn)
        words["weights"] = _by_turn(weights, kernel.unroll)
        words["offsets"] = _by_turn((offsets - base[:, None, None]) // self._unit, kernel.unroll)
        self._turns.append(words[np.arange(words.shape[1]) < turns[:, None]])
        record = np.zeros(len(members), self._record)
        record["stream"] = (self._turn_count + np.cumsum(turns) - turns) * kernel.turn_bytes
        record["turns"], record["base"] = turns, base
        record["outputs"] = rows.outputs[members]
        record["bias"] = rows.bias[members] if with_bias else 0
        self._records.append(record)
        self._turn_count += int(turns.sum())
        self.group_count += len(members)


def _turn_type(kernel: ConvKernel) -> np.dtype:
    offset = np.int32 if kernel.wide else np.uint16
    return np.dtype(
        {
            "names": ["weights", "offsets"],
            "formats": [(np.float32, (kernel.turn_weights,)), (offset, (kernel.turn_offsets,))],
            "itemsize": kernel.turn_bytes,
        }
    )


def _record_type(kernel: ConvKernel) -> np.dtype:
    return np.dtype(
        [
            ("stream", np.int64),
            ("turns", np.int32),
            ("base", np.int32),
            ("outputs", np.int32, (kernel.rows,)),
            ("bias", np.float32, (kernel.rows,)),
        ]
    )


def _tap_table(used: np.ndarray, counts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """List the taps that are used, (groups, lists, length), and which entries are not padding.

    Padding must read what is sure to be finite: the last tap of the list, or one of a list beside
    it if it is empty.
    """
    groups, lists, _ = used.shape
    which, tap = np.nonzero(used.reshape(groups * lists, -1))
    starts = np.cumsum(counts.ravel()) - counts.ravel()
    place = np.arange(len(tap)) - starts[which]
    table = np.full((groups * lists, length), -1)
    table[which, place] = tap
    table = np.maximum.accumulate(table, axis=1).reshape(groups, lists, length)
    is_real = np.arange(length) < counts[:, :, None]
    beside = np.broadcast_to(table.max((1, 2), initial=0)[:, None, None], table.shape)
    return np.where(table < 0, beside, table), is_real


def _by_turn(entries: np.ndarray, unroll: int) -> np.ndarray:
    """(groups, lists, length) → (groups, turns, unroll · lists), lists innermost."""
    groups, lists, length = entries.shape
    return (
        entries.reshape(groups, lists, length // unroll, unroll)
        .transpose(0, 2, 3, 1)
        .reshape(groups, length // unroll, unroll * lists)
    )
