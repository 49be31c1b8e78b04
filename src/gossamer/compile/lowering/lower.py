"""The table of lowerings, and the walk over the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gossamer.compile.codes import CodePlan
from gossamer.compile.lowering import channels, layer_norm, linear, pointwise, pooling
from gossamer.compile.lowering.code_convolution import lower_quantise
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.convolution import lower_add, lower_conv2d
from gossamer.compile.places import choose_places
from gossamer.compile.step import Buffer, Step
from gossamer.errors import CompileError
from gossamer.graph import ops
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Shape
from gossamer.graph.tail import find_tail
from gossamer.graph.verify import infer_shapes
from gossamer.jit.target import Target

LOWERINGS: Mapping[type[ops.Op], Callable[[Lowering, Node, Any], None]] = {
    ops.Conv2d: lower_conv2d,
    ops.Linear: linear.lower_linear,
    ops.ScaleShift: pointwise.lower_scale_shift,
    ops.Activation: pointwise.lower_activation,
    ops.Threshold: pointwise.lower_threshold,
    ops.KWinners: pointwise.lower_k_winners,
    ops.MaxPool2d: pooling.lower_pool,
    ops.AvgPool2d: pooling.lower_pool,
    ops.GlobalAvgPool: pooling.lower_global_avg_pool,
    ops.Add: lower_add,
    ops.Multiply: pointwise.lower_multiply,
    ops.Concat: channels.lower_concat,
    ops.ChannelPermute: channels.lower_channel_order,
    ops.ChannelSelect: channels.lower_channel_order,
    ops.LayerNorm: layer_norm.lower_layer_norm,
    ops.LocalResponseNorm: channels.lower_local_response_norm,
    ops.Quantise: lower_quantise,
    ops.Flatten: pointwise.lower_flatten,
    ops.Softmax: pointwise.lower_softmax,
}


@dataclass(frozen=True)
class Border:
    """What the steps of a graph's tail find when they begin.

    Args:
        steps: that run before.
        source: flat memory of what the tail reads, one image.
        features: of it.
    """

    steps: int
    source: Buffer
    features: int


@dataclass(frozen=True)
class Lowered:
    """A graph as steps.

    Args:
        steps: in order.
        input: flat memory of one image of the input.
        output: flat memory of one image of the output.
        output_shape: (1, …) of the output.
        border: where the tail's steps begin; None if there is no tail.
    """

    steps: tuple[Step, ...]
    input: Buffer
    output: Buffer
    output_shape: Shape
    border: Border | None = None


def lower(
    graph: Graph,
    image_shape: Shape,
    target: Target,
    threads: int,
    *,
    keep_infinities: bool = False,
    least_memory: bool = False,
) -> Lowered:
    """Turn a graph into steps for images of `image_shape`, (C, H, W) or (F,).

    With `keep_infinities`, kernels that make NaN of an infinity are no choice. With `least_memory`,
    weights are read as codes where the graph holds them so and a kernel can.

    Raises:
        ShapeError: if the network does not take such images.
        CompileError: if an operator has no kernel.
    """
    shapes = image_shapes(graph, image_shape)
    places = choose_places(graph, shapes, target.lanes)
    plan = CodePlan(graph, shapes, places)
    lowering = Lowering(graph, shapes, places, target, threads, plan, keep_infinities, least_memory)
    source = lowering.new_flat(graph.input.name)
    tail, border = find_tail(graph), None
    for node in graph.nodes:
        if tail and node is tail.nodes[0] and tail.source in lowering.flats:
            border = Border(len(lowering.steps), lowering.flats[tail.source], tail.features)
        lowering_of = LOWERINGS.get(type(node.op))
        if lowering_of is None:
            raise CompileError(
                "no kernel for this operator", where=f"node {node.name!r}", got=node.op.kind
            )
        if node.name not in plan.absorbed:
            lowering_of(lowering, node, node.op)
    output = lowering.flat(graph.output)
    return Lowered(tuple(lowering.steps), source, output, shapes[graph.output], border)


def image_shapes(graph: Graph, image_shape: Shape) -> Mapping[str, Shape]:
    """Return value → shape for one image, whatever batches the graph takes.

    Raises:
        ShapeError: if the network does not take such images.
    """
    one_by_one = replace(graph.input, free=graph.input.free | {0})
    return infer_shapes(replace(graph, input=one_by_one), (1, *image_shape))
