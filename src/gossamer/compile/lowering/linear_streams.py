"""The weight of a linear layer as the streams that its kernels read."""

from __future__ import annotations

import numpy as np

from gossamer.compile.kernels.packed_linear import PackedLinearKernel
from gossamer.compile.kernels.sparse_linear import SparseLinearKernel
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.linear_rows import LinearRows
from gossamer.compile.step import Argument


def shared_streams(weight: Filters, height: int) -> dict[str, Argument]:
    """Return each block's weights for one input after the other, but for inputs that it skips.

    Args:
        weight: the matrix.
        height: rows of a block.
    """
    blocks = -(-len(weight) // height)
    dense = np.zeros((blocks, height, weight.shape[1]), np.float32)
    dense.reshape(blocks * height, -1)[: len(weight)] = weight.dense
    block, column = np.nonzero((dense != 0).any(1))
    turns = np.bincount(block, minlength=blocks)
    words = np.empty((len(block), height + 1), np.int32)
    words[:, :height] = dense[block, :, column].view(np.int32)
    words[:, height] = 4 * column
    return {"blocks": _records(turns, 4 * (height + 1)), "stream": _padded(words)}


def packed_streams(rows: LinearRows, kernel: PackedLinearKernel, lanes: int) -> dict[str, Argument]:
    """Return (blocks, turns, rows) words, each of as many columns of a row as fit."""
    height, form = kernel.vectors * lanes, rows.form
    blocks, turns = -(-rows.shape[0] // height), -(-rows.shape[1] // form.per_word)
    entries = np.zeros((blocks * height, turns * form.per_word), np.uint8)
    entries[: rows.shape[0], : rows.shape[1]] = rows.dense & (2**form.bits - 1)
    words = np.zeros((blocks * height, turns), np.uint32)
    for place in range(form.per_word):
        column = entries[:, place :: form.per_word].astype(np.uint32)
        words |= column << np.uint32(place * form.bits)
    return {
        "turns": rows.shape[1] // form.per_word,
        "stream": np.ascontiguousarray(words.reshape(blocks, height, turns).transpose(0, 2, 1)),
        **_tables(rows, lanes, height),
    }


def sparse_streams(rows: LinearRows, kernel: SparseLinearKernel, lanes: int) -> dict[str, Argument]:
    """Return turns of a weight and a column for each row of a block.

    A row that is shorter than the longest of its block has a zero, and repeats that: times an
    infinity it makes NaN, as it does for the interpreter.
    """
    blocks, width = -(-rows.shape[0] // lanes), rows.shape[1]
    counts = np.zeros(blocks * lanes, np.int64)
    counts[: rows.shape[0]] = rows.counts
    turns = counts.reshape(blocks, lanes).max(1)
    firsts = np.cumsum(turns) - turns
    of_entry = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(of_entry)) - (np.cumsum(counts) - counts)[of_entry]
    # Before a row's first zero, each column is the number of nonzeros before it.
    zeros = np.bincount(of_entry, rows.columns == place, len(counts))
    zeros = np.minimum(zeros, width - 1).reshape(blocks, lanes)
    column = np.uint32 if kernel.wide else np.uint16
    words = np.empty(
        int(turns.sum()),
        [("entries", rows.entries.dtype, (lanes,)), ("columns", column, (lanes,))],
    )
    words["entries"] = rows.zero
    words["columns"] = np.repeat(zeros, turns, axis=0)
    block, lane = np.divmod(of_entry, lanes)
    words["entries"][firsts[block] + place, lane] = rows.entries
    words["columns"][firsts[block] + place, lane] = rows.columns
    return {
        "blocks": _records(turns, kernel.turn_bytes(lanes)),
        "stream": _padded(words.view(np.uint8)),
        **_tables(rows, lanes, lanes),
    }


def _tables(rows: LinearRows, lanes: int, height: int) -> dict[str, Argument]:
    """Return the values that entries are looked up in, and the factors of whole blocks.

    A table that is shorter than a vector repeats: who looks up there sees bits of the next entry.
    """
    values = np.zeros(2**rows.form.bits if rows.table is not None else 1, np.float32)
    if rows.table is not None:
        values[: len(rows.table)] = rows.table
    spare = -len(rows.factors) % height
    return {
        "table": np.resize(values, max(1, rows.form.table_entries(lanes))),
        "factors": np.pad(rows.factors, (0, spare)).astype(np.float32),
    }


def _records(turns: np.ndarray, turn_bytes: int) -> np.ndarray:
    """Return (blocks, 2) int64: where the stream of each block begins, in bytes, and its turns."""
    return np.stack([turn_bytes * (np.cumsum(turns) - turns), turns], axis=1).astype(np.int64)


def _padded(words: np.ndarray) -> np.ndarray:
    """Return the words and four more: a table of nothing has an address, too."""
    return np.concatenate([words.ravel(), np.zeros(4, words.dtype)])
