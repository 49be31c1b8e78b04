"""Integer weights of a convolution as the streams that `CodeConvKernel` walks.

A filter is seen as a row of *taps*: quads of input channels at window positions, four int8 weights
each. Groups of channels, depthwise filters and channels that fill no quad become weights of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossamer.compile.kernels.code_conv import CodeConvKernel
from gossamer.compile.lowering.short_turns import short_pairs
from gossamer.jit.dot import SHIFTS, WORDS, pack_weights

LARGEST_NARROW = 2**16 - 1


@dataclass(frozen=True, eq=False)
class CodeRows:
    """A convolution's integer weight with what each tap means for the kernel.

    Rows come in fours; those beyond the last output channel are zero.

    Args:
        words: (K, taps) int32, four int8 each, ordered by offset.
        offsets: (taps,) int64 input byte offset of each tap, ≥ 0, for a base of zero.
        bases: (K/4,) int64 input byte offset that the taps of four rows count from.
        outputs: (K/4,) output byte offset of each quad; of floats (K,), of each channel.
        others: (K/4,) the same for the value that is added; empty if none is.
        zero: code of the zero of the input.
        top: the largest code of the input.
        factors: (K,) float32 that sums are multiplied by.
        terms: (K,) float32 that are added then.
    """

    words: np.ndarray
    offsets: np.ndarray
    bases: np.ndarray
    outputs: np.ndarray
    others: np.ndarray
    zero: int
    top: int
    factors: np.ndarray
    terms: np.ndarray

    @property
    def bytes(self) -> np.ndarray:
        """(K, taps, 4) int8."""
        return self.words.view(np.int8).reshape(*self.words.shape, 4)

    def used(self, count: int) -> np.ndarray:
        """Return (groups, taps): where some row of each group of `count` is not zero."""
        rows, taps = self.words.shape
        whole = np.zeros((-(-rows // count) * count, taps), bool)
        whole[:rows] = self.words != 0
        return np.logical_or.reduce(whole.reshape(-1, count, taps), axis=1)

    def quads_read(self, shared: bool, count: int) -> int:
        """Return how many quads a pixel of the output takes from memory, one read for all rows
        that share it.
        """
        return int((self.used(count) if shared else self.words).astype(bool).sum())


def tap_words(
    integers: np.ndarray, groups: int, quads: int, channel_bytes: int, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (words, offsets, bases) of `CodeRows` of a (K, C/G, R, S) int8 weight.

    Args:
        integers: the weight.
        groups: of channels.
        quads: of the input.
        channel_bytes: from one quad to the next.
        window: (R · S,) byte offsets of window positions.
    """
    k, width, *kernel = integers.shape
    fours = -(-k // 4)
    group = np.minimum(np.arange(fours)[:, None] * 4 + [0, 3], k - 1) // (k // groups)
    first, last = group[:, 0] * width // 4, -(-((group[:, 1] + 1) * width) // 4)
    span = int((last - first).max())
    first = np.minimum(first, quads - span)
    placed = np.zeros((4 * fours, kernel[0] * kernel[1], 4 * span), np.int8)
    by_position = integers.reshape(k, width, -1).transpose(0, 2, 1)
    starts = np.arange(k) // (k // groups) * width - 4 * first[np.arange(k) // 4]
    for start in np.unique(starts):
        rows = np.flatnonzero(starts == start)
        placed[rows, :, start : start + width] = by_position[rows]
    offsets = (window[:, None] + np.arange(span) * channel_bytes).ravel()
    order = np.argsort(offsets, kind="stable")
    words = placed.view(np.int32).reshape(4 * fours, -1)
    low = int(offsets.min())
    bases = first * channel_bytes + low
    is_ordered = bool((order[1:] > order[:-1]).all())
    return words if is_ordered else words.take(order, axis=1), offsets[order] - low, bases


@dataclass(frozen=True, eq=False)
class CodeStreams:
    """What a kernel reads.

    Args:
        groups: (blocks, bytes) records of groups of rows.
        stream: turns, as 32-bit words.
        shares: (parts, 2) int64: (begin, end) of the groups of each part.
    """

    groups: np.ndarray
    stream: np.ndarray
    shares: np.ndarray


def build_code_streams(
    rows: CodeRows,
    kernel: CodeConvKernel,
    blocks: int,
    parts: Sequence[np.ndarray],
    vector_bytes: int,
) -> CodeStreams:
    """Write a weight as the kernel reads it.

    Args:
        rows: the weight.
        kernel: that reads.
        blocks: how many blocks the taps come in, ≥ 1.
        parts: fours of rows of each thread; together all, each once.
        vector_bytes: the unit of offsets that are not wide.
    """
    fours, sizes = _members(rows, kernel.rows // 4, parts)
    members = (4 * fours[:, :, None] + np.arange(4)).reshape(-1, kernel.rows)
    if not kernel.epilogue.codes:  # no channel of floats lies beyond the last: it is written twice
        members = np.minimum(members, len(rows.outputs) - 1)
    lists = members.reshape(-1, kernel.list_rows)
    bounds = np.arange(1, blocks) * rows.words.shape[1] // blocks
    parts_of_lists = _turns(rows, lists, bounds, kernel, 1 if kernel.wide else vector_bytes)
    starts, stream = _joined([(part.words, part.counts) for part in parts_of_lists])
    records = np.zeros((blocks, len(fours)), _record_type(kernel))
    by_group = blocks, len(fours), kernel.lists
    records["streams"] = 4 * starts.reshape(by_group)
    records["turns"] = parts_of_lists[0].counts.reshape(by_group)
    if kernel.has_rest:
        records["rests"] = parts_of_lists[1].counts.reshape(by_group)
    records["base"] = rows.bases[fours[:, 0]]
    records["outputs"] = rows.outputs[fours if kernel.epilogue.codes else members]
    if kernel.epilogue.adds:
        records["others"] = rows.others[fours]
    sums = (SHIFTS.get(kernel.dot, 0) - rows.zero) * rows.bytes.sum((1, 2), dtype=np.int64)
    records["starts"], records["factors"] = sums[members], rows.factors[members]
    records["terms"] = rows.terms[members]
    ends = np.cumsum(sizes)
    return CodeStreams(
        records.view(np.uint8), stream.view(np.uint8), np.stack([ends - sizes, ends], 1)
    )


def _members(
    rows: CodeRows, each: int, parts: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (groups, fours of a group) and (parts,), the groups of each part.

    Fours of a group read from the same base; a short last group repeats its last four.
    """
    found, sizes = [], []
    for part in parts:
        count = 0
        cuts = np.flatnonzero(np.diff(rows.bases[part])) + 1
        for run in np.split(part, cuts):
            groups = -(-len(run) // each)
            at = np.minimum(np.arange(groups * each), len(run) - 1)
            found.append(run[at].reshape(groups, each) if len(run) else np.zeros((0, each), int))
            count += groups
        sizes.append(count)
    return np.concatenate(found), np.array(sizes, np.int64)


@dataclass(frozen=True, eq=False)
class _Turns:
    """Turns of one kind: (n, words of a turn) int32, and how many each list has."""

    words: np.ndarray
    counts: np.ndarray


def _turns(
    rows: CodeRows, lists: np.ndarray, bounds: np.ndarray, kernel: CodeConvKernel, unit: int
) -> list[_Turns]:
    """Return what lists read, all in the first block, then all in the next, between the bounds.

    There is one kind of turns, or those of pairs in 16 bits and those of the rest.
    """
    of_list, taps = np.nonzero(np.logical_or.reduce(rows.words[lists] != 0, axis=1))
    words = rows.words[lists[of_list], taps[:, None]]
    if len(bounds):
        of_list = of_list + np.searchsorted(bounds, taps, "right") * len(lists)
        order = np.argsort(of_list, kind="stable")
        of_list, taps, words = of_list[order], taps[order], words[order]
    count = len(lists) * (len(bounds) + 1)
    offsets = rows.offsets[taps] // unit
    if not kernel.has_rest:
        slots, counts = _slots(of_list, count, kernel.unroll)
        filled = np.zeros((len(slots), lists.shape[1]), np.int32), np.zeros(len(slots), np.int64)
        for whole, part in zip(filled, (words, offsets), strict=True):
            whole[slots] = part
        return [_Turns(_packed(*filled, kernel, kernel.dot, kernel.unroll), counts)]
    pairs, rest = short_pairs(of_list, words, rows.top)
    made = []
    for chosen, dot in ((pairs, kernel.dot), (rest[:, None], kernel.rest_dot)):
        at, each = chosen.ravel(), chosen.shape[1]
        counts = np.bincount(of_list[chosen[:, 0]], minlength=count)
        made.append(_Turns(_packed(words[at], offsets[at], kernel, dot, each), counts))
    return made


def _slots(of_list: np.ndarray, lists: int, unroll: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where entries lie if each list is filled up to whole turns, and the turns of each."""
    counts = np.bincount(of_list, minlength=lists)
    turns = -(-counts // unroll)
    spare = turns * unroll - counts
    filled = np.ones(int((turns * unroll).sum()), bool)
    ends = np.cumsum(turns * unroll)
    for back in range(1, unroll):
        filled[ends[spare >= back] - back] = False
    return filled, turns


def _packed(
    words: np.ndarray, offsets: np.ndarray, kernel: CodeConvKernel, dot: str, unroll: int
) -> np.ndarray:
    """Return (turns, words) int32: the weights of some quads, then their offsets."""
    weights = words.view(np.int8).reshape(*words.shape, 4)
    width = unroll * words.shape[1] * WORDS[dot]
    packed = pack_weights(weights, dot).reshape(len(words) // unroll, width)
    kind = np.int32 if kernel.wide else np.uint16
    last = np.zeros((len(packed), -(-kernel.offset_bytes * unroll // 4) * 4), np.uint8)
    last.view(kind)[:, :unroll] = offsets.reshape(-1, unroll)
    return np.concatenate([packed, last.view(np.int32)], axis=1)


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return where each list begins, in words, and all lists: the parts of one after the other."""
    sizes = np.stack([words.shape[1] * counts for words, counts in parts], axis=1)
    ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
    if len(parts) == 1:
        return (ends - sizes)[:, 0], parts[0][0].ravel()
    stream = np.zeros(int(ends[-1, -1]), np.int32)
    for (words, counts), first in zip(parts, (ends - sizes).T, strict=True):
        within = np.arange(len(words)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(first, counts) + within * words.shape[1]
        stream[places[:, None] + np.arange(words.shape[1])] = words
    return (ends - sizes)[:, 0], stream


def _record_type(kernel: CodeConvKernel) -> np.dtype:
    fields = {
        "streams": (np.int64, (kernel.lists,)),
        "turns": (np.int32, (kernel.lists,)),
        "rests": (np.int32, (kernel.lists if kernel.has_rest else 0,)),
        "base": (np.int32, ()),
        "outputs": (np.int32, (kernel.outputs,)),
        "others": (np.int32, (kernel.others,)),
        "starts": (np.int32, (kernel.rows,)),
        "factors": (np.float32, (kernel.rows,)),
        "terms": (np.float32, (kernel.rows,)),
    }
    return np.dtype([(name, *form) for name, form in fields.items()])
