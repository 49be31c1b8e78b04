"""Operators that work entry by entry, on planes or flat, and those that only rename."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from gossamer.compile.kernels.elementwise import ElementwiseKernel, FlatKernel
from gossamer.compile.lowering.context import Grid, Lowering
from gossamer.compile.step import Argument, At, Buffer, shares
from gossamer.graph.graph import Node
from gossamer.graph.ops import Activation, Add, ChannelPermute, Concat, Flatten, ScaleShift

NOTHING = np.zeros(1, np.float32)


def lower_add(lowering: Lowering, node: Node, op: Add) -> None:
    """Add the sum of two values."""
    _lower(lowering, node, "add", op.activation)


def lower_activation(lowering: Lowering, node: Node, op: Activation) -> None:
    """Add an activation that no other operator took over."""
    _lower(lowering, node, "copy", op.function)


def lower_scale_shift(lowering: Lowering, node: Node, op: ScaleShift) -> None:
    """Add a norm layer that no convolution took over."""
    scale, shift = (lowering.graph.weights[node.weights[r]].to_dense() for r in ("scale", "shift"))
    _lower(lowering, node, "scale_shift", "identity", scale, shift)


def lower_concat(lowering: Lowering, node: Node, op: Concat) -> None:
    """Copy the parts side by side."""
    if node.name not in lowering.places.homes:
        _concat_flat(lowering, node)
        return
    target = lowering.output_grid(node)
    first = 0
    for index in range(len(node.inputs)):
        source = lowering.input_grid(node, index)
        last = first + len(source.channels)
        part = replace(target, channels=target.channels[first:last])
        _on_planes(lowering, node.name, ElementwiseKernel("copy"), [source, source], part)
        first = last
    lowering.wrote(target)


def lower_channel_permute(lowering: Lowering, node: Node, op: ChannelPermute) -> None:
    """Rename channels: nothing moves, later readers use other offsets."""
    source = lowering.input_grid(node)
    place = lowering.places.homes[node.name]
    lowering.grids[node.name, place] = replace(source, channels=source.channels[list(op.order)])


def lower_flatten(lowering: Lowering, node: Node, op: Flatten) -> None:
    """Rename: flat memory is in the order that flattening asks for."""
    lowering.flats[node.name] = lowering.flat(node.inputs[0])


def _lower(
    lowering: Lowering,
    node: Node,
    function: str,
    activation: str,
    scale: np.ndarray = NOTHING,
    shift: np.ndarray = NOTHING,
) -> None:
    if node.name in lowering.places.homes:
        sources = [lowering.input_grid(node, i) for i in range(len(node.inputs))]
        target = lowering.output_grid(node)
        kernel = ElementwiseKernel(function, activation)
        _on_planes(lowering, node.name, kernel, [sources[0], sources[-1]], target, scale, shift)
        lowering.wrote(target)
    else:
        inputs = [lowering.flat(name) for name in node.inputs]
        target = lowering.new_flat(node.name)
        entries = prod(lowering.shapes[node.name][1:])
        _on_flat(
            lowering,
            node.name,
            FlatKernel(function, activation),
            [inputs[0], inputs[-1]],
            target,
            entries,
            scale,
            shift,
        )


def _on_planes(
    lowering: Lowering,
    name: str,
    kernel: ElementwiseKernel,
    sources: list[Grid],
    target: Grid,
    scale: np.ndarray = NOTHING,
    shift: np.ndarray = NOTHING,
) -> None:
    grids = [*sources, target]
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
    )


def _on_flat(
    lowering: Lowering,
    name: str,
    kernel: FlatKernel,
    inputs: list[Buffer],
    target: Buffer | At,
    entries: int,
    scale: np.ndarray = NOTHING,
    shift: np.ndarray = NOTHING,
) -> None:
    arguments: dict[str, Argument] = {
        "a": inputs[0],
        "b": inputs[1],
        "output": target,
        "scales": scale,
        "shifts": shift,
        "entry_shares": shares(entries, lowering.threads),
    }
    lowering.emit(name, kernel, arguments)


def _concat_flat(lowering: Lowering, node: Node) -> None:
    inputs = [lowering.flat(name) for name in node.inputs]
    target = lowering.new_flat(node.name)
    start = 0
    for name, source in zip(node.inputs, inputs, strict=True):
        entries = prod(lowering.shapes[name][1:])
        _on_flat(
            lowering,
            node.name,
            FlatKernel("copy"),
            [source, source],
            At(target, 4 * start),
            entries,
        )
        start += entries
