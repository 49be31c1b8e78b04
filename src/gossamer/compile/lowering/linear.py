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
from gossamer.graph.ops import Linear

DENSE_ABOVE = 0.15
"""Density above which the dense kernel is a candidate beside the sparse one."""


def lower_linear(lowering: Lowering, node: Node, op: Linear) -> None:
    """Add the layer's step, dense and sparse kernels as choices."""
    rounding = lowering.code_plan.flat_rounding(node.inputs[0])
    if rounding is not None and lowering.code_plan.takes_flat_codes(node):
        lower_code_linear(lowering, node, op, rounding)
        return
    graph, lanes = lowering.graph, lowering.target.lanes
    layout, scale = graph.weights[node.weights["weight"]], None
    if "scale" in node.weights:
        scale = graph.weights[node.weights["scale"]].to_dense()
    weight = Filters.of(layout, np.arange(layout.shape[1]), scale)
    blocks = -(-len(weight) // lanes)
    biases = np.zeros(blocks * lanes, np.float32)
    if "bias" in node.weights:
        biases[: len(weight)] = graph.weights[node.weights["bias"]].to_dense()
    source, target = lowering.flat(node.inputs[0]), lowering.new_flat(node.name)
    arguments: dict[str, Argument] = {
        "input": source,
        "output": target,
        "biases": biases,
        "block_shares": shares(blocks, lowering.threads),
    }
    macs = op.macs((), graph.weight_shapes(node))
    effective_macs = round(macs * layout.density)
    choices = tuple(
        Choice(
            LinearKernel(shared, op.activation),
            partial(_arguments, weight, lanes, shared, arguments),
            reads=effective_macs,
        )
        for shared in _forms(layout.density)
    )
    numbers = lowering.numbers(*node.inputs, node.name)
    lowering.steps.append(Step(node.name, choices, (source, target), macs, effective_macs, numbers))


def _forms(density: float) -> list[bool]:
    """Return which forms are worth trying: shared (dense) or not, the likeliest first."""
    forms = [False] if density < SPARSE_BELOW else []
    return [*forms, True] if density > DENSE_ABOVE or not forms else forms


def _arguments(
    weight: Filters, lanes: int, shared: bool, others: dict[str, Argument]
) -> dict[str, Argument]:
    records, stream = (_shared_streams if shared else _own_streams)(weight, lanes)
    return {**others, "blocks": records, "stream": stream}


def _shared_streams(weight: Filters, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (records, stream): each turn has the weights of all rows of a block for one input."""
    blocks = -(-len(weight) // lanes)
    dense = np.zeros((blocks, lanes, weight.shape[1]), np.float32)
    dense.reshape(blocks * lanes, -1)[: len(weight)] = weight.dense
    block, column = np.nonzero((dense != 0).any(1))
    turns = np.bincount(block, minlength=blocks)
    words = np.empty((len(block), lanes + 1), np.int32)
    words[:, :lanes] = dense[block, :, column].view(np.int32)
    words[:, lanes] = 4 * column
    return _records(turns, lanes + 1), _padded(words)


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
