"""The weight of a convolution as the streams that `ConvKernel` walks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.compile.kernels.conv import ConvKernel


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


def build_streams(rows: ConvRows, kernel: ConvKernel) -> tuple[np.ndarray, np.ndarray]:
    """Return (groups, stream) as the kernel reads them, both int32 words."""
    pieces, records, position = [], [], 0
    for members in _group_rows(rows, kernel):
        words = (_shared_words if kernel.shared else _sparse_words)(rows, members, kernel)
        turns = 4 * len(words) // kernel.turn_bytes
        head = np.array([position, turns], np.int64).view(np.int32)
        outputs = rows.outputs[members].astype(np.int32)
        records.append(np.concatenate([head, outputs, rows.bias[members].view(np.int32)]))
        pieces.append(words)
        position += 4 * len(words)
    return np.concatenate(records), np.concatenate([*pieces, np.zeros(4, np.int32)])


def _group_rows(rows: ConvRows, kernel: ConvKernel) -> list[np.ndarray]:
    """Return the rows that are computed together; a short last group repeats its last row."""
    groups = []
    for start in range(0, len(rows.weight), rows.group_rows):
        members = np.arange(start, start + rows.group_rows)
        if not kernel.shared:
            # Rows of one group wait for the longest: put equal lengths together.
            members = members[np.argsort((rows.weight[members] != 0).sum(1), kind="stable")]
        for first in range(0, len(members), kernel.rows):
            chosen = members[first : first + kernel.rows]
            groups.append(np.pad(chosen, (0, kernel.rows - len(chosen)), mode="edge"))
    return groups


def _shared_words(rows: ConvRows, members: np.ndarray, kernel: ConvKernel) -> np.ndarray:
    """Taps where any row is not zero: `rows` weights and one offset each."""
    weight = rows.weight[members]
    taps = np.flatnonzero((weight != 0).any(0))
    offsets = rows.offsets[members[0] // rows.group_rows][taps].astype(np.int32)
    weights = np.ascontiguousarray(weight[:, taps].T).view(np.int32)
    return np.concatenate([weights, offsets[:, None]], axis=1).ravel()


def _sparse_words(rows: ConvRows, members: np.ndarray, kernel: ConvKernel) -> np.ndarray:
    """Nonzeros of each row, padded with zero weights to the longest of the group."""
    taps = [np.flatnonzero(rows.weight[m]) for m in members]
    longest = max(len(t) for t in taps)
    entries = -(-longest // kernel.unroll) * kernel.unroll
    weights = np.zeros((entries, kernel.rows), np.float32)
    offsets = np.zeros((entries, kernel.rows), np.int32)
    for column, (m, t) in enumerate(zip(members, taps, strict=True)):
        row_offsets = rows.offsets[m // rows.group_rows]
        weights[: len(t), column] = rows.weight[m, t]
        offsets[: len(t), column] = row_offsets[t]
        # Zero times what lies there must be zero: only the taps of the row are sure to be filled.
        offsets[len(t) :, column] = row_offsets[t[-1] if len(t) else 0]
    turns = entries // kernel.unroll
    shape = (turns, kernel.unroll * kernel.rows)
    return np.concatenate(
        [weights.view(np.int32).reshape(shape), offsets.reshape(shape)], axis=1
    ).ravel()
