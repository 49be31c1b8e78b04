"""Linear layers on flat vectors."""

from __future__ import annotations

from functools import partial

import numpy as np

from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.lowering.code_linear import lower_code_linear
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.conv_candidates import SPARSE_BELOW
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.padding import padding_shares
from gossamer.compile.step import Argument, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Conv2d, Linear

VECTORS = 4
"""Of rows at most in a block that share their inputs: one sum alone waits for itself each turn."""
DENSE_ABOVE = 0.15
"""Density above which the dense kernel is a candidate beside the sparse one."""


def lower_linear(lowering: Lowering, node: Node, op: Linear | Conv2d) -> None:
    """Add the step of a layer, or of a convolution of one pixel: dense and sparse kernels."""
    rounding = lowering.code_plan.flat_rounding(node.inputs[0])
    if rounding is not None and lowering.code_plan.takes_flat_codes(node):
        assert isinstance(op, Linear)  # for the type checker: no convolution reads flat codes
        lower_code_linear(lowering, node, op, rounding)
        return
    graph, lanes = lowering.graph, lowering.target.lanes
    layout, scale = graph.weights[node.weights["weight"]], None
    if "scale" in node.weights:
        scale = graph.weights[node.weights["scale"]].to_dense()
    weight = Filters.of(layout, np.arange(layout.shape[1]), scale)
    biases = np.zeros(len(weight) + VECTORS * lanes, np.float32)
    if "bias" in node.weights:
        biases[: len(weight)] = graph.weights[node.weights["bias"]].to_dense()
    source, target = lowering.flat(node.inputs[0]), lowering.new_flat(node.name, VECTORS)
    arguments: dict[str, Argument] = {
        "input": source,
        "output": target,
        "biases": biases,
    }
    macs = op.macs(lowering.shapes[node.name], graph.weight_shapes(node))
    effective_macs = round(macs * layout.density)
    choices = tuple(
        Choice(
            kernel,
            partial(_arguments, kernel, weight, lanes, lowering.threads, arguments),
            reads=effective_macs,
        )
        for kernel in _kernels(layout, op.activation, lanes)
    )
    numbers = lowering.numbers(*node.inputs, node.name)
    lowering.steps.append(Step(node.name, choices, (source, target), macs, effective_macs, numbers))


def _kernels(layout: Layout, activation: str, lanes: int) -> list[LinearKernel]:
    """Return the kernels worth trying, the likeliest first."""
    own = [LinearKernel(False, activation)] if layout.density < SPARSE_BELOW else []
    vectors = max(1, -(-layout.shape[0] // lanes))
    blocks = -(-vectors // VECTORS)
    shared = LinearKernel(True, activation, -(-vectors // blocks))  # few rows of zeros at the end
    return [*own, shared] if layout.density > DENSE_ABOVE or not own else own


def _arguments(
    kernel: LinearKernel, weight: Filters, lanes: int, threads: int, others: dict[str, Argument]
) -> dict[str, Argument]:
    rows = kernel.vectors * lanes
    records, stream = (_shared_streams if kernel.shared else _own_streams)(weight, rows)
    return {
        **others,
        "blocks": records,
        "stream": stream,
        "block_shares": shares(len(records), threads),
    }


def _shared_streams(weight: Filters, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (records, stream): each turn has the weights of all rows of a block for one input."""
    blocks = -(-len(weight) // rows)
    dense = np.zeros((blocks, rows, weight.shape[1]), np.float32)
    dense.reshape(blocks * rows, -1)[: len(weight)] = weight.dense
    block, column = np.nonzero((dense != 0).any(1))
    turns = np.bincount(block, minlength=blocks)
    words = np.empty((len(block), rows + 1), np.int32)
    words[:, :rows] = dense[block, :, column].view(np.int32)
    words[:, rows] = 4 * column
    return _records(turns, rows + 1), _padded(words)


def _own_streams(weight: Filters, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (records, stream): each turn has a weight of each row of a block, and its input.

    A row shorter than the longest of its block repeats its last entry, whose weight is shared out.
    """
    blocks = -(-len(weight) // lanes)
    counts, firsts = (np.zeros((blocks, lanes), np.int64) for _ in range(2))
    counts.ravel()[: len(weight)] = weight.counts
    firsts.ravel()[: len(weight)] = weight.entries.starts[:-1]
    turns = counts.max(1)
    kept, each = (share * (counts > 0) for share in padding_shares(turns[:, None] - counts))
    of_turns = partial(np.repeat, repeats=turns, axis=0)
    past = _places(turns)[:, None] - of_turns(counts - 1)  # turns after the last entry of a row
    entry = of_turns(np.where(counts > 0, firsts + counts - 1, 0)) + np.minimum(past, 0)
    entry = np.where(of_turns(counts > 0), entry, 0)
    shares = np.select([past < 0, past == 0], [np.float32(1), of_turns(kept)], of_turns(each))
    words = np.empty((len(entry), 2, lanes), np.int32)
    words[:, 0] = (weight.entries.values[entry] * shares).view(np.int32)
    words[:, 1] = 4 * weight.entries.taps[entry].astype(np.int32)
    return _records(turns, 2 * lanes), _padded(words)


def _places(turns: np.ndarray) -> np.ndarray:
    """Return 0, 1, … for the turns of each block."""
    return np.arange(turns.sum()) - np.repeat(np.cumsum(turns) - turns, turns)


def _records(turns: np.ndarray, turn_words: int) -> np.ndarray:
    """Return (blocks, 2) int64: where the stream of each block begins, in bytes, and its turns."""
    return np.stack([4 * turn_words * (np.cumsum(turns) - turns), turns], axis=1).astype(np.int64)


def _padded(words: np.ndarray) -> np.ndarray:
    """Return the words and four more: a table of nothing has an address, too."""
    return np.concatenate([words.ravel(), np.zeros(4, np.int32)])
