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
        runs: the nonzeros as runs of taps of neighbouring channels, if they are such.
        step_bytes: between the inputs of the taps of a run.
        zeros: (K,) a tap of each row whose weight is zero: turns that are not full repeat it;
            if None, they repeat the last tap, whose weight is shared out.
    """

    weight: Filters
    offsets: np.ndarray
    outputs: np.ndarray
    bias: np.ndarray
    runs: Entries | None = None
    step_bytes: int = 0
    zeros: np.ndarray | None = None

    @property
    def group_rows(self) -> int:
        """Rows of one group of channels."""
        return len(self.weight) // len(self.offsets)

    @property
    def counts(self) -> np.ndarray:
        """(K,) nonzeros of each row."""
        return self.weight.counts

    @property
    def density(self) -> float:
        """The fraction of weights that are not zero."""
        return float(self.counts.sum()) / max(1, self.weight.size)

    @cached_property
    def base(self) -> int:
        """The input offset that the stream's offsets count from."""
        return int(self.offsets.min()) if self.offsets.size else 0

    @property
    def span_bytes(self) -> int:
        """Largest offset that a stream holds."""
        return int(self.offsets.max()) - self.base if self.offsets.size else 0

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
        taps: (turns, weights of a turn) the tap of each weight; of runs the first one's.
        shares: (parts, blocks, 2) int64: (begin, end) of the groups of each part in each block.
    """

    groups: np.ndarray
    stream: np.ndarray
    taps: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class _Lists:
    """What each group of rows reads in one block: lists of taps, one or (unshared) one a row.

    Args:
        firsts: (groups, lists) where each list begins among the entries.
        counts: (groups, lists) entries of each list.
        taps: (n,) of all entries.
        values: (n,) float32 of all entries; (n, run) of runs; (n, rows) where the rows of a group
            share their taps.
    """

    firsts: np.ndarray
    counts: np.ndarray
    taps: np.ndarray
    values: np.ndarray

    def of(self, groups: np.ndarray) -> _Lists:
        """Return the lists of some groups."""
        return replace(self, firsts=self.firsts[groups], counts=self.counts[groups])

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (groups, lists) the first and the last entry that each list reads.

        An empty list must read what its row reads anyway: the last entry of a list beside it, which
        is one of the row's own zeros.
        """
        last = np.where(self.counts > 0, self.firsts + self.counts - 1, -1)
        last = np.where(last < 0, last.max(1, keepdims=True), last)
        return np.where(self.counts > 0, self.firsts, last), last


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
    entries = rows.runs if kernel.step_bytes else None if kernel.shared else rows.weight.entries
    cuts = _cut_rows(entries, rows.weight.shape[1], bounds) if entries else None
    by_block, part = _members(rows, kernel, parts, blocks, cuts)
    members, block = by_block.reshape(-1, kernel.rows), np.repeat(np.arange(blocks), len(part))
    if entries is None or cuts is None:
        lists = _shared_lists(rows.weight.dense, members, bounds, block)
    else:
        lists = _own_lists(entries, members, cuts, block)
    kept = lists.counts.any(1) | (block == 0) | (block == blocks - 1)
    members, lists = members[kept], lists.of(kept)
    records, stream, taps = _write(rows, kernel, vector_bytes, members, lists)
    records["bias"] = np.where(block[kept, None] == 0, rows.bias[members], 0)
    return Streams(records, stream, taps, _shares(kept.reshape(blocks, -1), part, len(parts)))


def split_rows(rows: ConvRows, parts: int) -> list[np.ndarray]:
    """Split the rows into contiguous parts with about as many nonzeros each."""
    work = np.cumsum(rows.counts + 1)
    bounds = np.searchsorted(work, work[-1] * np.arange(1, parts) / parts)
    return np.split(np.arange(len(rows.weight)), bounds)


def _cut_rows(entries: Entries, width: int, bounds: np.ndarray) -> np.ndarray:
    """Return (K, blocks + 1): where each block begins and ends among the entries of each row."""
    if len(bounds) == 2:
        return np.stack([entries.starts[:-1], entries.starts[1:]], axis=1)
    keys = entries.rows * width + entries.taps
    firsts = np.arange(len(entries.starts) - 1)[:, None] * width
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
        if lengths.max(initial=0) < 2**16:
            lengths = lengths.astype(np.uint16)  # sorted by their digits: in a quarter of the time
        by_block = all_rows[np.argsort(lengths, axis=1, kind="stable")]
    return by_block[:, at], part[starts][of_group]


def _own_lists(
    entries: Entries, members: np.ndarray, cuts: np.ndarray, block: np.ndarray
) -> _Lists:
    """Return the nonzeros of each row of each group."""
    firsts = cuts[members, block[:, None]]
    counts = cuts[members, block[:, None] + 1] - firsts
    return _Lists(firsts, counts, entries.taps, entries.values)


def _shared_lists(
    dense: np.ndarray, members: np.ndarray, bounds: np.ndarray, block: np.ndarray
) -> _Lists:
    """Return the taps where some row of a group is not zero, with the weights of all its rows."""
    weights = dense[members]
    taps = np.arange(dense.shape[1])
    used = (weights != 0).any(1)
    used &= (taps >= bounds[block, None]) & (taps < bounds[block + 1, None])
    columns = np.ascontiguousarray(weights.transpose(0, 2, 1)).reshape(-1, members.shape[1])
    at, counts = np.flatnonzero(used), used.sum(1, keepdims=True)
    return _Lists(np.cumsum(counts)[:, None] - counts, counts, at % max(1, len(taps)), columns[at])


def _write(
    rows: ConvRows, kernel: ConvKernel, vector_bytes: int, members: np.ndarray, lists: _Lists
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the records, without biases, the stream, and the taps of its offsets or weights."""
    turn_slots = kernel.unroll // kernel.run
    turns = -(-lists.counts.max(1) // turn_slots)
    slots = turns * turn_slots
    turn_type, channels = _turn_type(kernel), members[:, 0] // rows.group_rows
    steps = (rows.offsets - rows.base) // (1 if kernel.wide else vector_bytes)
    steps = steps.astype(turn_type["offsets"].base)
    entry = _entries_of_slots(lists, slots)
    weights, taps = lists.values[entry], lists.taps[entry]
    if rows.zeros is None:
        _share_out(weights, lists.counts, slots)
    else:
        spare = _runs(np.zeros_like(slots), slots)[:, None] >= np.repeat(lists.counts, slots, 0)
        weights[spare], taps[spare] = 0, np.repeat(rows.zeros[members], slots, 0)[spare]
    words = np.zeros(int(turns.sum()) + 1, turn_type)  # one more: offsets are read a turn ahead
    if weights.ndim > 2:  # (slots, lists, run) → the first weights of all rows before the second
        weights = weights.swapaxes(1, 2)
    words["weights"][:-1] = weights.reshape(-1, kernel.turn_weights)
    offsets = (
        steps[0][taps] if len(steps) == 1 else steps[np.repeat(channels, slots)[:, None], taps]
    )
    words["offsets"][:-1] = offsets.reshape(-1, kernel.turn_offsets)
    records = np.zeros(len(members), _record_type(kernel))
    records["end"] = np.cumsum(turns) * kernel.turn_bytes
    records["begin"] = records["end"] - turns * kernel.turn_bytes
    records["outputs"] = rows.outputs[members]
    taps = taps.reshape(-1, kernel.turn_offsets)
    if kernel.shared:
        taps = np.repeat(taps, kernel.rows, axis=1)
    return records, words.view(np.uint8), taps


def _entries_of_slots(lists: _Lists, slots: np.ndarray) -> np.ndarray:
    """Return (n, lists): which entry each slot of the stream holds.

    A list that is shorter than its group's slots repeats its last entry.
    """
    first, last = lists.ends
    entries = np.repeat(first, slots, axis=0)
    entries += _runs(np.zeros_like(slots), slots)[:, None]
    if (slots[:, None] != lists.counts).any():
        np.minimum(entries, np.repeat(last, slots, axis=0), out=entries)
    return entries


def _share_out(weights: np.ndarray, counts: np.ndarray, slots: np.ndarray) -> None:
    """Share the last weight of each list out over its repetitions, in place; none if it is empty.

    Args:
        weights: (n, lists, …) as in the last entry of each list.
        counts: (groups, lists) entries.
        slots: (groups,) of each group, together n.
    """
    spare = slots[:, None] - counts
    group, of_list = np.nonzero((spare > 0) & (slots > 0)[:, None])
    repeats, held = spare[group, of_list], counts[group, of_list]
    kept, each = padding_shares(repeats)
    last = (np.cumsum(slots) - slots)[group] + held - 1
    filled = held > 0
    weights[last[filled], of_list[filled]] *= kept[filled].reshape(-1, *[1] * (weights.ndim - 2))
    share = np.repeat(np.where(filled, each, 0), repeats)
    share = share.reshape(-1, *[1] * (weights.ndim - 2))
    weights[_runs(last + 1, repeats), np.repeat(of_list, repeats)] *= share


def _shares(kept: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
    """Return (parts, blocks, 2): which of the kept groups of each block are whose."""
    counts = np.stack([np.bincount(part[of_block], minlength=parts) for of_block in kept])
    ends = np.cumsum(counts).reshape(counts.shape)
    return np.ascontiguousarray(np.stack([ends - counts, ends], axis=-1).transpose(1, 0, 2))


def _runs(firsts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return, run after run, first, first + 1, …: as many as the run is long."""
    starts = np.cumsum(lengths) - lengths
    return np.repeat(firsts - starts, lengths) + np.arange(lengths.sum())


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
            ("begin", np.int64),
            ("end", np.int64),
            ("outputs", np.int32, (kernel.rows,)),
            ("bias", np.float32, (kernel.rows,)),
        ]
    )
