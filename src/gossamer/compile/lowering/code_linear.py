"""Linear layers of flat codes with integer weights."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np

from gossamer.compile.codes import levels_of
from gossamer.compile.kernels.code_linear import CodeLinearKernel, FlatEncodeKernel
from gossamer.compile.lowering.code_steps import zero_code
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.step import Argument, Buffer, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import Linear, Quantise
from gossamer.jit.dot import SHIFTS, pack_weights

UNROLL = 4


def encode_flat(lowering: Lowering, node: Node, op: Quantise) -> None:
    """Add a step that rounds flat real numbers to codes."""
    entries = prod(lowering.shapes[node.name][1:])
    scale, low, high = levels_of(op)
    lowering.emit(
        node.name,
        FlatEncodeKernel(),
        {
            "input": lowering.flat(node.inputs[0]),
            "output": lowering.new_flat_codes(node.name, -(-entries // (4 * UNROLL)) * 4 * UNROLL),
            "levels": np.array([scale, low, high, zero_code(op)], np.float32),
            "entry_shares": shares(entries, lowering.threads),
        },
        numbers=entries + -(-entries // 4),
    )


def lower_code_linear(lowering: Lowering, node: Node, op: Linear, rounding: Quantise) -> None:
    """Add a linear layer of codes; its result is real numbers."""
    graph, lanes = lowering.graph, lowering.target.lanes
    layout = graph.weights[node.weights["weight"]]
    assert isinstance(layout, Quantised)
    factors = np.float64(rounding.scale) * layout.scales
    if "scale" in node.weights:
        factors = factors * graph.weights[node.weights["scale"]].to_dense()
    terms = np.zeros(len(factors), np.float32)
    if "bias" in node.weights:
        terms = graph.weights[node.weights["bias"]].to_dense()
    spare = -len(factors) % lanes
    arguments: dict[str, Argument] = {
        "input": lowering.flat_codes[node.inputs[0]],
        "output": lowering.new_flat(node.name),
        "factors": np.pad(factors, (0, spare)).astype(np.float32),
        "terms": np.pad(terms, (0, spare)),
        "block_shares": shares((len(factors) + spare) // lanes, lowering.threads),
    }
    choices = tuple(
        Choice(
            CodeLinearKernel(dot, UNROLL, op.activation),
            partial(_arguments, layout.integers, lanes, dot, zero_code(rounding), arguments),
        )
        for dot in lowering.target.dots
        if dot != "short"
    )
    macs = op.macs((), graph.weight_shapes(node))
    buffers = tuple(a for a in arguments.values() if isinstance(a, Buffer))
    numbers, nonzero = -(-layout.shape[1] // 4) + layout.shape[0], round(macs * layout.density)
    lowering.steps.append(Step(node.name, choices, buffers, macs, nonzero, numbers))


def _arguments(
    integers: np.ndarray, lanes: int, dot: str, zero: int, others: dict[str, Argument]
) -> dict[str, Argument]:
    rows, features = integers.shape
    padded = np.zeros(
        (-(-rows // lanes) * lanes, -(-features // (4 * UNROLL)) * UNROLL, 4), np.int8
    )
    padded.reshape(len(padded), -1)[:rows, :features] = integers
    by_block = padded.reshape(-1, lanes, *padded.shape[1:]).transpose(0, 2, 1, 3)
    words = pack_weights(np.ascontiguousarray(by_block).reshape(-1, lanes, 4), dot)
    sums = padded.sum((1, 2), dtype=np.int64) * (SHIFTS.get(dot, 0) - zero)
    return {
        **others,
        "turns": padded.shape[1] // UNROLL,
        "stream": words.reshape(len(words), lanes, -1).transpose(0, 2, 1),
        "starts": sums.astype(np.int32),
    }
