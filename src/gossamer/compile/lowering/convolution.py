"""Convolutions: every candidate kernel with its streams; measuring chooses among them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from gossamer.compile.kernels.elementwise import ElementwiseKernel
from gossamer.compile.lowering.channel_conv import channel_ways
from gossamer.compile.lowering.channel_runs import find_runs
from gossamer.compile.lowering.code_convolution import lower_code_conv
from gossamer.compile.lowering.coded_conv import CodedRows, coded_rows
from gossamer.compile.lowering.context import Grid, Lowering
from gossamer.compile.lowering.conv_candidates import SPARSE_BELOW, fits_exactly
from gossamer.compile.lowering.conv_streams import ConvRows
from gossamer.compile.lowering.conv_ways import (
    Convolution,
    Factors,
    Way,
    tap_offsets,
    tap_order,
)
from gossamer.compile.lowering.depthwise import depthwise_choices
from gossamer.compile.lowering.direct_conv import direct_ways
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.linear import lower_linear
from gossamer.compile.lowering.pixel_tiles import overruns
from gossamer.compile.lowering.pointwise import add_gated, lower_sum, on_planes
from gossamer.compile.lowering.winograd import winograd_ways
from gossamer.compile.lowering.winograd_planes import winograd_planes_ways
from gossamer.compile.lowering.winograd_windows import winograd_windows
from gossamer.compile.step import Buffer, Choice, Step
from gossamer.graph.graph import Node
from gossamer.graph.ops import Add, Conv2d

MOST_CHOICES = 6
"""How many ways are offered for timing."""
DENSE_ABOVE = 0.2
"""Density above which kernels that know no zeros are offered, too."""
NEAR = 1.5
"""How much longer the best of another kind may take, by the model, to be timed for sure."""


def lower_conv2d(lowering: Lowering, node: Node, op: Conv2d) -> None:
    """Add the convolution's step, unless it waits for a sum; of vectors, it is a linear layer."""
    if node.name not in lowering.places.homes:
        lower_linear(lowering, node, op)
    elif lowering.code_plan.takes_codes(node):
        lower_code_conv(lowering, node, op)
    elif not lowering.places.waits(node):
        _add_step(lowering, node, op, lowering.output_grid(node))


def lower_add(lowering: Lowering, node: Node, op: Add) -> None:
    """Add a sum: if it can be made in place, by the convolution or the gate that waits for it."""
    residual = lowering.places.residuals.get(node.name)
    if residual is None or lowering.code_plan.takes_codes(residual.term):
        lower_sum(lowering, node, op)
        return
    conv, place = residual.term, lowering.places.homes[node.name]
    target = lowering.home_grid(residual.other)
    if not isinstance(conv.op, Conv2d):
        add_gated(lowering, conv, op.activation, target)
    elif fits_exactly((target.planes.tile_h, target.planes.tile_w)):
        fused = replace(conv.op, activation=op.activation)
        _add_step(lowering, conv, fused, target, adds=True)
    else:
        own = lowering.output_grid(conv)
        _add_step(lowering, conv, conv.op, own)
        kernel = ElementwiseKernel("add", op.activation)
        on_planes(lowering, node.name, kernel, [own, target], target)
        lowering.wrote(target)
    lowering.grids[node.name, place] = target


def _add_step(
    lowering: Lowering, node: Node, op: Conv2d, target: Grid, *, adds: bool = False
) -> None:
    shape, out_shape = lowering.shapes[node.inputs[0]], lowering.shapes[node.name]
    layout = lowering.graph.weights[node.weights["weight"]]
    kernel = (layout.shape[2], layout.shape[3])
    macs = op.macs(out_shape, lowering.graph.weight_shapes(node))
    op = replace(op, stride=lowering.stride(node))
    reads_outside = any(
        overruns(
            shape[2 + a], out_shape[2 + a], kernel[a], op.stride[a], op.padding[a], op.dilation[a]
        )
        or (kernel[a] - 1) * op.dilation[a] >= op.stride[a]
        for a in (0, 1)
    )
    product = lowering.places.gates.get(node.name)
    source = lowering.input_grid(product or node, fill=0.0 if reads_outside else None)
    factors = _factors(lowering, op, product, source) if product else None
    rows, coded = conv_rows(lowering, node, op, source, target, is_scaled=product is not None)
    conv = Convolution(
        op,
        rows,
        kernel,
        source,
        target,
        lowering.threads,
        lowering.target.registers,
        lowering.target.caches,
        adds,
        lowering.is_padded(target),
        lowering.keep_infinities,
        coded,
        factors,
    )
    choices, memory = conv_choices(conv, node.name)
    if not (adds or conv.echoes or factors):
        choices = (*depthwise_choices(conv), *choices)
    memory += [factors.buffer] if factors else []
    buffers, read = (source.buffer, target.buffer, *memory), shape[1] * prod(kernel) * conv.pixels
    numbers = min(lowering.numbers(node.inputs[0]), read) + (1 + adds) * lowering.numbers(node.name)
    nonzero = round(macs * layout.density)
    lowering.steps.append(Step(node.name, choices, buffers, macs, nonzero, numbers))
    lowering.wrote(target)
    if conv.echoes:
        lowering.filled(target, bytes(4))


def _factors(lowering: Lowering, op: Conv2d, product: Node, source: Grid) -> Factors:
    """Return the gate that a convolution's weights take over, as factors of its taps."""
    order = tap_order(tap_offsets(op, source, (1, 1)))
    return Factors(lowering.flat(product.inputs[1]), (4 * order).astype(np.int32))


def conv_choices(conv: Convolution, name: str) -> tuple[tuple[Choice, ...], list[Buffer]]:
    """Return the likeliest ways to compute a convolution, and the memory that they need."""
    ways = list(direct_ways(conv))
    if conv.coded and not ways:
        return conv_choices(replace(conv, coded=None), name)
    if conv.rows.density > DENSE_ABOVE and not (conv.coded or conv.factors):
        ways += channel_ways(conv)
        for windows in () if conv.keep_infinities else winograd_windows(conv):
            ways += winograd_ways(conv, windows)
            ways += winograd_planes_ways(conv, windows)
    ways = rank_ways(ways)[:MOST_CHOICES]
    sizes = {slot: max(way.memory.get(slot, 0) for way in ways) for w in ways for slot in w.memory}
    memory = {slot: Buffer(f"{name} {slot}", n * conv.threads) for slot, n in sizes.items()}
    return tuple(way.choice(conv, memory) for way in ways), list(memory.values())


def rank_ways(ways: list[Way]) -> list[Way]:
    """Return the likeliest ways first; the best of each kind that is near comes before others."""
    ways = sorted(ways, key=lambda way: way.cycles)
    firsts = {way.kind: way for way in reversed(ways)}
    near = [way for way in firsts.values() if way.cycles < NEAR * ways[0].cycles]
    near.sort(key=lambda way: way.cycles)
    return [*near, *(way for way in ways if all(way is not other for other in near))]


def conv_rows(
    lowering: Lowering, node: Node, op: Conv2d, source: Grid, target: Grid, *, is_scaled: bool
) -> tuple[ConvRows, CodedRows | None]:
    """Return the weight with offsets, scale and bias folded in; and as codes, if to be kept so.

    A weight that is scaled anew for each image is neither codes nor runs.
    """
    graph = lowering.graph
    layout, scale = graph.weights[node.weights["weight"]], None
    k, _, height, width = layout.shape
    if "scale" in node.weights:
        scale = graph.weights[node.weights["scale"]].to_dense()
    bias = np.zeros(k, np.float32)
    if "bias" in node.weights:
        bias = graph.weights[node.weights["bias"]].to_dense()
    offsets = tap_offsets(op, source, (height, width))
    order = tap_order(offsets)
    filters = Filters.of(layout, order, scale)
    outputs = target.channel_offsets().astype(np.int64)
    rows = ConvRows(filters, offsets[:, order], outputs, np.ascontiguousarray(bias))
    if is_scaled:
        return rows, None
    coded = coded_rows(layout, order, scale, rows) if lowering.least_memory else None
    if coded is None and filters.nonzeros < SPARSE_BELOW * filters.size:
        runs, step_bytes = find_runs(filters.entries, offsets, order, height * width)
        rows = replace(rows, runs=runs, step_bytes=step_bytes)
    return rows, coded
