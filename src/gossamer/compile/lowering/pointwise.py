"""Operators that work entry by entry, on planes or flat."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from gossamer.compile.kernels.elementwise import ElementwiseKernel, FlatKernel
from gossamer.compile.kernels.softmax import SoftmaxKernel
from gossamer.compile.kernels.winners import WinnersKernel
from gossamer.compile.lowering.context import Grid, Lowering
from gossamer.compile.step import Argument, At, Buffer, shares
from gossamer.counts import winner_count
from gossamer.graph.graph import Node
from gossamer.graph.ops import (
    Activation,
    Add,
    Flatten,
    KWinners,
    Multiply,
    ScaleShift,
    Softmax,
    Threshold,
)

NOTHING = np.zeros(1, np.float32)


def lower_sum(lowering: Lowering, node: Node, op: Add) -> None:
    """Add the sum of two values, in memory of its own."""
    lower_pointwise(lowering, node, "add", op.activation)


def lower_activation(lowering: Lowering, node: Node, op: Activation) -> None:
    """Add an activation that no other operator took over."""
    lower_pointwise(lowering, node, "copy", op.function)


def lower_scale_shift(lowering: Lowering, node: Node, op: ScaleShift) -> None:
    """Add a norm layer that no convolution took over."""
    scale, shift = (lowering.graph.weights[node.weights[r]].to_dense() for r in ("scale", "shift"))
    lower_pointwise(lowering, node, "scale_shift", "identity", scale, shift)


def lower_threshold(lowering: Lowering, node: Node, op: Threshold) -> None:
    """Add what cuts off low entries."""
    thresholds = lowering.graph.weights[node.weights["threshold"]].to_dense()
    lower_pointwise(lowering, node, "threshold", "identity", thresholds)


def lower_multiply(lowering: Lowering, node: Node, op: Multiply) -> None:
    """Add a product, or one factor a channel, unless that waits for a sum."""
    a, b = (lowering.shapes[name] for name in node.inputs)
    if a == b or node.name not in lowering.places.homes:
        lower_pointwise(lowering, node, "multiply", "identity")
    elif not lowering.places.waits(node):
        gate = lowering.flat(node.inputs[1])
        source, target = lowering.input_grid(node), lowering.output_grid(node)
        on_planes(lowering, node.name, ElementwiseKernel("gate"), [source, source], target, gate)
        lowering.wrote(target)


def add_gated(lowering: Lowering, node: Node, activation: str, target: Grid) -> None:
    """Add what adds a product with one factor a channel to what a target holds."""
    gate = lowering.flat(node.inputs[1])
    kernel = ElementwiseKernel("gate_add", activation)
    on_planes(lowering, node.name, kernel, [lowering.input_grid(node), target], target, gate)
    lowering.wrote(target)


def lower_flatten(lowering: Lowering, node: Node, op: Flatten) -> None:
    """Rename: flat memory is in the order that flattening asks for."""
    lowering.flats[node.name] = lowering.flat(node.inputs[0])


def lower_softmax(lowering: Lowering, node: Node, op: Softmax) -> None:
    """Add a softmax along channels, on flat memory."""
    _, channels, *size = lowering.shapes[node.name]
    source = lowering.flat(node.inputs[0])
    lowering.emit(
        node.name,
        SoftmaxKernel(),
        {
            "input": source,
            "output": lowering.new_flat(node.name),
            "channel_count": channels,
            "channel_bytes": 4 * prod(size),
            "pixel_shares": shares(prod(size), lowering.threads),
        },
        numbers=lowering.numbers(node.name, *node.inputs),
    )


def lower_k_winners(lowering: Lowering, node: Node, op: KWinners) -> None:
    """Add k winners, on flat memory: lines of entries that compete, all of one length."""
    _, channels, *size = lowering.shapes[node.name]
    pixels = prod(size)
    lines, length, line_step, entry_step = {
        "channels": (pixels, channels, 1, pixels),
        "map": (channels, pixels, pixels, 1),
        "image": (1, channels * pixels, 0, 1),
    }[op.over]
    lowering.emit(
        node.name,
        WinnersKernel(),
        {
            "input": lowering.flat(node.inputs[0]),
            "output": lowering.new_flat(node.name),
            "length": length,
            "line_bytes": 4 * line_step,
            "entry_bytes": 4 * entry_step,
            "winners": winner_count(op.density, length),
            "line_shares": shares(lines, lowering.threads),
        },
        numbers=lowering.numbers(node.name, *node.inputs),
    )


def lower_pointwise(
    lowering: Lowering,
    node: Node,
    function: str,
    activation: str,
    scale: np.ndarray = NOTHING,
    shift: np.ndarray = NOTHING,
) -> None:
    """Add a step that works entry by entry, on planes or flat."""
    if node.name in lowering.places.homes:
        sources = [lowering.input_grid(node, i) for i in range(len(node.inputs))]
        target = lowering.output_grid(node)
        kernel = ElementwiseKernel(function, activation)
        on_planes(lowering, node.name, kernel, [sources[0], sources[-1]], target, scale, shift)
        lowering.wrote(target)
    else:
        inputs = [lowering.flat(name) for name in node.inputs]
        target = lowering.new_flat(node.name)
        entries = prod(lowering.shapes[node.name][1:])
        on_flat(
            lowering,
            node.name,
            FlatKernel(function, activation),
            [inputs[0], inputs[-1]],
            target,
            entries,
            scale,
            shift,
        )


def on_planes(
    lowering: Lowering,
    name: str,
    kernel: ElementwiseKernel,
    sources: list[Grid],
    target: Grid,
    scale: np.ndarray | Buffer = NOTHING,
    shift: np.ndarray = NOTHING,
) -> None:
    """Add an elementwise step over planes; `scale` and `shift` hold one number a channel."""
    grids, planes = [*sources, target], target.planes
    positions = np.stack([g.positions() for g in grids], axis=1)
    lowering.emit(
        name,
        kernel,
        {
            "a": sources[0].buffer,
            "b": sources[1].buffer,
            "output": target.buffer,
            "channels": np.stack([g.channel_offsets() for g in grids], axis=1),
            "positions": positions,
            "position_count": len(positions),
            "scales": scale,
            "shifts": shift,
            "channel_shares": lowering.channel_shares(len(target.channels)),
        },
        numbers=_terms(kernel.function) * len(target.channels) * planes.height * planes.width,
    )


def on_flat(
    lowering: Lowering,
    name: str,
    kernel: FlatKernel,
    inputs: Sequence[Buffer | At],
    target: Buffer | At,
    entries: int,
    scale: np.ndarray = NOTHING,
    shift: np.ndarray = NOTHING,
) -> None:
    """Add an elementwise step over flat memory; `scale` and `shift` hold one number an entry."""
    arguments: dict[str, Argument] = {
        "a": inputs[0],
        "b": inputs[1],
        "output": target,
        "scales": scale,
        "shifts": shift,
        "entry_shares": shares(entries, lowering.threads),
    }
    lowering.emit(name, kernel, arguments, numbers=_terms(kernel.function) * entries)


def _terms(function: str) -> int:
    """Return how many numbers are read or written for an entry."""
    return {"zero": 1, "add": 3, "multiply": 3, "gate_add": 3}.get(function, 2)
