"""The weight of a convolution as the streams that `ConvKernel` walks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.filters import Entries, Filters
from gossamer.compile.lowering.padding import padding_shares

LARGEST_NARROW = 2**16 - 1
"""Largest offset, in vectors, of a stream that is not wide."""


@dataclass(frozen=True, eq=False)
class ConvRows:
    """A convolution's weight with what each entry means for the kernel.

    Args:
        weight: (K, taps); taps are the (C/G, R, S) of a filter, ordered by offset.
        offsets: (G, taps) int64 input byte offset of each tap, one row a group of channels.
        outputs: (K,) output byte offset of each row.
        bias: (K,) float32.
    """

    weight: Filters
    offsets: np.ndarray
    outputs: np.ndarray
    bias: np.ndarray

    @property
    def group_rows(self) -> int:
        """Rows of one group of channels."""
        return len(self.weight) // len(self.offsets)

    @property
    def counts(self) -> np.ndarray:
        """(K,) nonzeros of each row."""
        return self.weight.counts

    @cached_property
    def span_bytes(self) -> int:
        """Largest distance between two taps of one group of channels."""
        if not self.offsets.size:
            return 0
        return int((self.offsets.max(1) - self.offsets.min(1)).max())

    def reads(self, kernel: ConvKernel) -> int:
        """Return the vectors that a kernel reads for a vector of pixels in all rows."""
        return self.shared_taps(kernel.rows if kernel.shared else 1)

    def shared_taps(self, count: int) -> int:
        """Return the taps where some row is not zero, summed over groups of `count` rows."""
        return self.weight.shared_taps(count)


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


@dataclass(frozen=True, eq=False)
class _Lists:
    """What each group of rows reads in one block: lists of taps, one or (unshared) one a row.

    Args:
        counts: (groups, lists) taps of each list.
        taps: (n,) of all lists, one list after the other.
        values: (n, weights of a tap) float32.
    """

    counts: np.ndarray
    taps: np.ndarray
    values: np.ndarray


def build_streams(
    rows: ConvRows, kernel: ConvKernel, blocks: int, parts: Sequence[np.ndarray], vector_bytes: int
) -> Streams:
    """Write a weight as the kernel reads it.

    The first block sets the sums and the last one activates them, so both have all rows; those in
    between have no groups that read nothing.

    Args:
        rows: the weight.
        kernel: that reads.
        blocks: how many blocks the taps come in, ≥ 1.
        parts: rows of each thread; together all rows, each once.
        vector_bytes: the unit of offsets that are not wide.
    """
    bounds = np.arange(blocks + 1) * rows.weight.shape[1] // blocks
    cuts = None if kernel.shared else _cut_rows(rows.weight, bounds)
    by_block, part = _members(rows, kernel, parts, blocks, cuts)
    members, block = by_block.reshape(-1, kernel.rows), np.repeat(np.arange(blocks), len(part))
    if cuts is None:
        lists = _shared_lists(rows.weight.dense, members, bounds, block)
    else:
        lists = _own_lists(rows.weight.entries, members, cuts, block)
    kept = lists.counts.any(1) | (block == 0) | (block == blocks - 1)
    members, lists = members[kept], replace(lists, counts=lists.counts[kept])
    records, stream = _write(rows, kernel, vector_bytes, members, lists)
    records["bias"] = np.where(block[kept, None] == 0, rows.bias[members], 0)
    return Streams(records, stream, _shares(kept.reshape(blocks, -1), part, len(parts)))


def split_rows(rows: ConvRows, parts: int) -> list[np.ndarray]:
    """Split the rows into contiguous parts with about as many nonzeros each."""
    work = np.cumsum(rows.counts + 1)
    bounds = np.searchsorted(work, work[-1] * np.arange(1, parts) / parts)
    return np.split(np.arange(len(rows.weight)), bounds)


def _cut_rows(weight: Filters, bounds: np.ndarray) -> np.ndarray:
    """Return (K, blocks + 1): where each block begins and ends among the entries of each row."""
    entries = weight.entries
    if len(bounds) == 2:
        return np.stack([entries.starts[:-1], entries.starts[1:]], axis=1)
    keys = entries.rows * weight.shape[1] + entries.taps
    firsts = np.arange(len(weight))[:, None] * weight.shape[1]
    return np.searchsorted(keys, firsts + bounds)


def _members(
    rows: ConvRows,
    kernel: ConvKernel,
    parts: Sequence[np.ndarray],
    blocks: int,
    cuts: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (blocks, groups, rows), the rows computed together, and (groups,), in whose part.

    Rows of a group have the part and the group of channels that they read in common: a *chunk*. A
    short last group of a chunk repeats its last row.
    """
    all_rows = np.concatenate(parts)
    part = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    differs = np.diff(part, prepend=-1) != 0
    differs |= np.diff(all_rows // rows.group_rows, prepend=-1) != 0
    starts, chunk = np.flatnonzero(differs), np.cumsum(differs) - 1
    sizes = np.diff(starts, append=len(all_rows))
    group_counts = -(-sizes // kernel.rows)
    of_group = np.repeat(np.arange(len(starts)), group_counts)
    number = _runs(np.zeros_like(sizes), group_counts)[:, None] * kernel.rows + np.arange(
        kernel.rows
    )
    at = starts[of_group, None] + np.minimum(number, sizes[of_group, None] - 1)
    by_block = np.broadcast_to(all_rows, (blocks, len(all_rows)))
    if cuts is not None:
        # Rows of one group wait for the longest: put equal lengths together.
        counts = np.diff(cuts[all_rows], axis=1).T
        lengths = chunk * (rows.weight.shape[1] + 1) + counts
        by_block = all_rows[np.argsort(lengths, axis=1, kind="stable")]
    return by_block[:, at], part[starts][of_group]


def _own_lists(
    entries: Entries, members: np.ndarray, cuts: np.ndarray, block: np.ndarray
) -> _Lists:
    """Return the nonzeros of each row of each group."""
    first = cuts[members, block[:, None]]
    counts = cuts[members, block[:, None] + 1] - first
    at = _runs(first.ravel(), counts.ravel())
    return _Lists(counts, entries.taps[at], entries.values[at, None])


def _shared_lists(
    dense: np.ndarray, members: np.ndarray, bounds: np.ndarray, block: np.ndarray
) -> _Lists:
    """Return the taps where some row of a group is not zero, with the weights of all its rows."""
    weights = dense[members]
    taps = np.arange(dense.shape[1])
    used = (weights != 0).any(1)
    used &= (taps >= bounds[block, None]) & (taps < bounds[block + 1, None])
    columns = np.ascontiguousarray(weights.transpose(0, 2, 1)).reshape(-1, members.shape[1])
    at = np.flatnonzero(used)
    return _Lists(used.sum(1, keepdims=True), at % max(1, len(taps)), columns[at])


def _write(
    rows: ConvRows, kernel: ConvKernel, vector_bytes: int, members: np.ndarray, lists: _Lists
) -> tuple[np.ndarray, np.ndarray]:
    """Return the records, without biases, and the stream."""
    counts, lists_each = lists.counts, lists.counts.shape[1]
    turns = -(-counts.max(1) // kernel.unroll)
    first_turn = np.cumsum(turns) - turns
    turn_type, channels = _turn_type(kernel), members[:, 0] // rows.group_rows
    bases, steps = _steps(rows, 1 if kernel.wide else vector_bytes)
    steps = steps.astype(turn_type["offsets"].base)
    first_slot = first_turn[:, None] * (kernel.unroll * lists_each) + np.arange(lists_each)
    slots = _runs(first_slot.ravel(), counts.ravel(), lists_each)
    values, padding = _shared_out(lists, (turns * kernel.unroll)[:, None] - counts)
    weights = np.repeat(padding, turns * kernel.unroll, axis=0).reshape(-1, values.shape[1])
    weights[slots] = values
    offsets = steps[channels[:, None], _padding(lists)]
    offsets = np.repeat(offsets, turns * kernel.unroll, axis=0).ravel()
    offsets[slots] = steps[np.repeat(channels, counts.sum(1)), lists.taps]
    words = np.zeros(int(turns.sum()), turn_type)
    words["weights"] = weights.reshape(-1, kernel.turn_weights)
    words["offsets"] = offsets.reshape(-1, kernel.turn_offsets)
    records = np.zeros(len(members), _record_type(kernel))
    records["stream"], records["turns"] = first_turn * kernel.turn_bytes, turns
    records["base"], records["outputs"] = bases[channels], rows.outputs[members]
    return records, words.view(np.uint8)


def _steps(rows: ConvRows, unit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (G,), an offset of each group of channels, and (G, taps), what to add, in units."""
    bases = rows.offsets.min(1)
    return bases, (rows.offsets - bases[:, None]) // unit


def _padding(lists: _Lists) -> np.ndarray:
    """Return (groups, lists): the tap that fills the last turns of each list.

    It must read what the row reads anyway: the last tap of the list, or one of a list beside it if
    it is empty, which is one of the row's own zeros.
    """
    ends = np.cumsum(lists.counts).reshape(lists.counts.shape)
    last = np.where(lists.counts > 0, np.append(lists.taps, 0)[ends - 1], -1)
    return np.where(last < 0, last.max(1, keepdims=True), last)


def _shared_out(lists: _Lists, spare: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of lists and, (groups, lists, …), those of what fills their last turns.

    Args:
        lists: of taps.
        spare: (groups, lists) how often the last tap is repeated.
    """
    (kept, each), filled = padding_shares(spare), lists.counts > 0
    last = (np.cumsum(lists.counts) - 1)[filled.ravel()]
    values = lists.values.copy()
    padding = np.zeros((*filled.shape, values.shape[1]), np.float32)
    padding[filled] = values[last] * each[filled][:, None]
    values[last] *= kept[filled][:, None]
    return values, padding


def _shares(kept: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
    """Return (parts, blocks, 2): which of the kept groups of each block are whose."""
    counts = np.stack([np.bincount(part[of_block], minlength=parts) for of_block in kept])
    ends = np.cumsum(counts).reshape(counts.shape)
    return np.ascontiguousarray(np.stack([ends - counts, ends], axis=-1).transpose(1, 0, 2))


def _runs(firsts: np.ndarray, lengths: np.ndarray, step: int = 1) -> np.ndarray:
    """Return, run after run, first, first + step, …: as many as the run is long."""
    starts = np.cumsum(lengths) - lengths
    return np.repeat(firsts - step * starts, lengths) + step * np.arange(lengths.sum())


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
