"""Operators on whole channels: permuting, selecting, joining them, and norms across them."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from math import prod

import numpy as np

from gossamer.compile.kernels.elementwise import ElementwiseKernel, FlatKernel
from gossamer.compile.kernels.response_norm import ResponseNormKernel
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.pointwise import on_flat, on_planes
from gossamer.compile.step import At
from gossamer.graph.graph import Node
from gossamer.graph.ops import ChannelPermute, ChannelSelect, Concat, LocalResponseNorm


def lower_channel_order(lowering: Lowering, node: Node, op: ChannelPermute | ChannelSelect) -> None:
    """Rename channels where that suffices: nothing moves, later readers use other offsets."""
    if node.name not in lowering.places.homes:
        _select_flat(lowering, node, op.order)
    elif min(op.order) >= 0:
        source = lowering.input_grid(node)
        place = lowering.places.homes[node.name]
        channels = source.channels[list(op.order)]
        lowering.grids[node.name, place] = replace(source, channels=channels)
    else:
        _select_planes(lowering, node, np.array(op.order))


def lower_concat(lowering: Lowering, node: Node, op: Concat) -> None:
    """Copy those parts side by side that were not made there."""
    if node.name not in lowering.places.homes:
        _concat_flat(lowering, node)
        return
    place = lowering.places.homes[node.name]
    target = lowering.grids.get((node.name, place)) or lowering.output_grid(node)
    first = 0
    for index, name in enumerate(node.inputs):
        part = target.channels[first : first + lowering.shapes[name][1]]
        first += len(part)
        if lowering.places.hosts.get(name, ("",))[0] != node.name:
            source, copy = lowering.input_grid(node, index), replace(target, channels=part)
            on_planes(lowering, node.name, ElementwiseKernel("copy"), [source, source], copy)
            lowering.wrote(copy)
        else:
            lowering.input_grid(node, index)


def lower_local_response_norm(lowering: Lowering, node: Node, op: LocalResponseNorm) -> None:
    """Add a norm over neighbouring channels."""
    source, target = lowering.input_grid(node), lowering.output_grid(node)
    count = len(source.channels)
    first = np.maximum(np.arange(count) - op.size // 2, 0)
    last = np.minimum(np.arange(count) + (op.size - 1) // 2 + 1, count)
    offsets = source.channel_offsets()
    positions = np.stack([source.positions(), target.positions()], axis=1)
    channels = np.stack([offsets, target.channel_offsets(), first, last], axis=1)
    lowering.emit(
        node.name,
        ResponseNormKernel(op.beta),
        {
            "input": source.buffer,
            "output": target.buffer,
            "channels": channels.astype(np.int32),
            "neighbours": offsets,
            "positions": positions,
            "position_count": len(positions),
            "terms": np.array([op.k, op.alpha / op.size], np.float32),
            "channel_shares": lowering.channel_shares(count),
        },
        numbers=lowering.numbers(node.name, *node.inputs),
    )
    lowering.wrote(target)


def _select_planes(lowering: Lowering, node: Node, order: np.ndarray) -> None:
    source, target = lowering.input_grid(node), lowering.output_grid(node)
    kept = np.flatnonzero(order >= 0)
    picked = replace(source, channels=source.channels[order[kept]])
    part = replace(target, channels=target.channels[kept])
    on_planes(lowering, node.name, ElementwiseKernel("copy"), [picked, picked], part)
    empty = replace(target, channels=target.channels[np.flatnonzero(order < 0)])
    on_planes(lowering, node.name, ElementwiseKernel("zero"), [empty, empty], empty)
    lowering.wrote(target)


def _select_flat(lowering: Lowering, node: Node, order: tuple[int, ...]) -> None:
    """Copy run by run of consecutive entries; runs of −1 become zeros."""
    source, target = lowering.flat(node.inputs[0]), lowering.new_flat(node.name)
    for _, run in groupby(enumerate(order), key=_run_of):
        entries = list(run)
        start, first = entries[0]
        function = "zero" if first < 0 else "copy"
        taken = At(source, 4 * max(first, 0))
        on_flat(
            lowering,
            node.name,
            FlatKernel(function),
            [taken, taken],
            At(target, 4 * start),
            len(entries),
        )


def _run_of(entry: tuple[int, int]) -> tuple[bool, int]:
    """Return what the entries (place, source) of one run have in common."""
    place, source = entry
    return (True, 0) if source < 0 else (False, source - place)


def _concat_flat(lowering: Lowering, node: Node) -> None:
    inputs = [lowering.flat(name) for name in node.inputs]
    target = lowering.new_flat(node.name)
    start = 0
    for name, source in zip(node.inputs, inputs, strict=True):
        entries = prod(lowering.shapes[name][1:])
        part = At(target, 4 * start)
        on_flat(lowering, node.name, FlatKernel("copy"), [source, source], part, entries)
        start += entries
