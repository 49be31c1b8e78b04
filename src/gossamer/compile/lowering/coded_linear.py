"""Linear layers whose weights are read as codes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from gossamer.compile.kernels.coded_linear import CodedLinearKernel, SparseCodedLinearKernel
from gossamer.compile.kernels.coded_weights import SharedValues
from gossamer.compile.lowering.coded_rows import CodedRows
from gossamer.compile.step import Argument, Choice, shares

LARGEST_NARROW = 2**16
"""Columns whose numbers have 16 bits."""


def dense_choice(
    rows: CodedRows,
    activation: str,
    lanes: int,
    vectors: int,
    threads: int,
    arguments: Mapping[str, Argument],
) -> Choice:
    """Return the way that multiplies all weights, zeros too.

    Args:
        rows: the weight.
        activation: of the results.
        lanes: numbers in a vector.
        vectors: of rows in a block.
        threads: that share the blocks.
        arguments: "input", "output" and "biases", the latter of whole blocks.
    """
    per_word = rows.weights.per_word
    turns, tail = divmod(rows.shape[1], per_word)
    kernel = CodedLinearKernel(rows.weights, tail, activation, vectors)

    def build() -> Mapping[str, Argument]:
        stream = _words(rows, vectors * lanes, turns + (tail > 0))
        own = {"stream": stream, "turns": turns, "block_shares": shares(len(stream), threads)}
        return {**arguments, **_tables(rows, lanes, vectors), **own}

    reads = rows.shape[0] * -(-rows.shape[1] // per_word)
    return Choice(kernel, build, reads=reads)


def sparse_choice(
    rows: CodedRows, activation: str, lanes: int, threads: int, arguments: Mapping[str, Argument]
) -> Choice:
    """Return the way that skips zeros; arguments as for the dense one."""
    kernel = SparseCodedLinearKernel(rows.weights, activation, rows.shape[1] > LARGEST_NARROW)

    def build() -> Mapping[str, Argument]:
        records, stream = _own_streams(rows, kernel, lanes)
        own = {
            "blocks": records,
            "stream": stream,
            "block_shares": shares(len(records), threads),
        }
        return {**arguments, **_tables(rows, lanes, 1), **own}

    return Choice(kernel, build, reads=len(rows.positions))


def _tables(rows: CodedRows, lanes: int, vectors: int) -> dict[str, Argument]:
    """Return the table of values and the factors, as kernels read them."""
    entries = rows.weights.table_entries(lanes) if isinstance(rows.weights, SharedValues) else 1
    table = np.zeros(entries, np.float32)
    table[: len(rows.table)] = rows.table
    spare = -len(rows.factors) % (vectors * lanes)
    return {"table": table, "factors": np.pad(rows.factors, (0, spare)).astype(np.float32)}


def _words(rows: CodedRows, block: int, turns: int) -> np.ndarray:
    """Return (blocks, turns, block) uint32: as many codes as fit, of one row each."""
    bits, per_word = rows.weights.bits, rows.weights.per_word
    blocks = -(-rows.shape[0] // block)
    codes = np.zeros((blocks * block, turns * per_word), np.uint8)
    codes[: rows.shape[0], : rows.shape[1]] = rows.dense & (2**bits - 1)
    words = np.zeros((blocks * block, turns), np.uint32)
    for place in range(per_word):
        words |= codes[:, place::per_word].astype(np.uint32) << np.uint32(place * bits)
    return np.ascontiguousarray(words.reshape(blocks, block, turns).transpose(0, 2, 1))


def _own_streams(
    rows: CodedRows, kernel: SparseCodedLinearKernel, lanes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (records, stream): each turn has a code and a column of each row of a block.

    A row that is shorter than the longest of its block has a zero, which it repeats: multiplied by
    an infinity that makes NaN, as in the interpreter.
    """
    height, width = rows.shape
    blocks = -(-height // lanes)
    counts = np.zeros(blocks * lanes, np.int64)
    counts[:height] = rows.counts
    starts = np.cumsum(counts) - counts
    of_row = np.repeat(np.arange(len(counts)), counts)
    columns = rows.positions - of_row * width
    place = np.arange(len(columns)) - starts[of_row]
    turns = counts.reshape(blocks, lanes).max(1)
    firsts = np.cumsum(turns) - turns
    # Columns of a row increase: those before its first zero are 0, 1, … in their places.
    zeros = np.bincount(of_row, columns == place, len(counts)).astype(np.int64)
    zeros[height:] = 0
    column_type = np.dtype(np.uint32 if kernel.wide else np.uint16)
    turn_type = np.dtype([("codes", np.uint8, (lanes,)), ("columns", column_type, (lanes,))])
    words = np.empty(int(turns.sum()), turn_type)
    words["codes"] = rows.zero or 0
    words["columns"] = np.repeat(np.minimum(zeros, width - 1).reshape(blocks, lanes), turns, axis=0)
    block, lane = np.divmod(of_row, lanes)
    at = firsts[block] + place
    words["codes"][at, lane] = rows.codes
    words["columns"][at, lane] = columns
    records = np.stack([kernel.turn_bytes(lanes) * firsts, turns], axis=1).astype(np.int64)
    return records, np.concatenate([words.view(np.uint8), np.zeros(16, np.uint8)])
