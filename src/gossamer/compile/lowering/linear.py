"""Linear layers on flat vectors."""

from __future__ import annotations

from functools import partial

import numpy as np

from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.conv_candidates import SPARSE_BELOW
from gossamer.compile.lowering.padding import padding_shares
from gossamer.compile.step import Argument, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.ops import Linear

DENSE_ABOVE = 0.15
"""Density above which the dense kernel is a candidate beside the sparse one."""


def lower_linear(lowering: Lowering, node: Node, op: Linear) -> None:
    """Add the layer's step, dense and sparse kernels as choices."""
    graph, lanes = lowering.graph, lowering.target.lanes
    layout = graph.weights[node.weights["weight"]]
    weight = layout.to_dense()
    if "scale" in node.weights:
        weight = weight * graph.weights[node.weights["scale"]].to_dense()[:, None]
    blocks = -(-len(weight) // lanes)
    biases = np.zeros(blocks * lanes, np.float32)
    if "bias" in node.weights:
        biases[: len(weight)] = graph.weights[node.weights["bias"]].to_dense()
    padded = np.zeros((blocks * lanes, weight.shape[1]), np.float32)
    padded[: len(weight)] = weight
    source, target = lowering.flat(node.inputs[0]), lowering.new_flat(node.name)
    arguments: dict[str, Argument] = {
        "input": source,
        "output": target,
        "biases": biases,
        "block_shares": shares(blocks, lowering.threads),
    }
    macs = op.macs((), graph.weight_shapes(node))
    choices = tuple(
        Choice(
            LinearKernel(shared, op.activation),
            partial(_arguments, padded.reshape(blocks, lanes, -1), shared, arguments),
            reads=round(macs * layout.density),
        )
        for shared in _forms(layout.density)
    )
    effective_macs, numbers = (
        round(macs * layout.density),
        lowering.numbers(*node.inputs, node.name),
    )
    lowering.steps.append(Step(node.name, choices, (source, target), macs, effective_macs, numbers))


def _forms(density: float) -> list[bool]:
    """Return which forms are worth trying: shared (dense) or not, the likeliest first."""
    forms = [False] if density < SPARSE_BELOW else []
    return [*forms, True] if density > DENSE_ABOVE or not forms else forms


def _arguments(
    blocks: np.ndarray, shared: bool, others: dict[str, Argument]
) -> dict[str, Argument]:
    records, stream = _streams(blocks, shared)
    return {**others, "blocks": records, "stream": stream}


def _streams(blocks: np.ndarray, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return (records, stream) of (blocks, lanes, features) weights."""
    words = [(_shared_words if shared else _sparse_words)(block) for block in blocks]
    turn_words = blocks.shape[1] + (1 if shared else blocks.shape[1])
    starts = np.cumsum([0, *(4 * len(w) for w in words)])[:-1]
    records = np.array(
        [(start, len(w) // turn_words) for start, w in zip(starts, words, strict=True)], np.int64
    )
    return records, np.concatenate([*words, np.zeros(4, np.int32)])


def _shared_words(block: np.ndarray) -> np.ndarray:
    columns = np.flatnonzero((block != 0).any(0))
    weights = np.ascontiguousarray(block[:, columns].T).view(np.int32)
    return np.concatenate([weights, (4 * columns[:, None]).astype(np.int32)], axis=1).ravel()


def _sparse_words(block: np.ndarray) -> np.ndarray:
    columns = [np.flatnonzero(row) for row in block]
    turns = max(len(c) for c in columns)
    kept, each = padding_shares(np.array([turns - len(c) for c in columns]))
    weights, offsets = (
        np.zeros((turns, len(block)), np.float32),
        np.zeros((turns, len(block)), np.int32),
    )
    for lane, (row, c) in enumerate(zip(block, columns, strict=True)):
        if len(c):
            last = len(c) - 1
            weights[:last, lane], offsets[:last, lane] = row[c[:last]], 4 * c[:last]
            weights[last, lane], offsets[last:, lane] = row[c[last]] * kept[lane], 4 * c[last]
            weights[last + 1 :, lane] = row[c[last]] * each[lane]
    return np.concatenate([weights.view(np.int32), offsets], axis=1).ravel()
