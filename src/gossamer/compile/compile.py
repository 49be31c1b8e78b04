"""Graph → Program."""

from __future__ import annotations

from functools import partial
from math import prod

from gossamer.compile.bind import Binding
from gossamer.compile.choose import choose
from gossamer.compile.lowering.lower import Lowered, image_shapes, lower
from gossamer.compile.multiply_out import plan_fastest
from gossamer.compile.packs import packs_of
from gossamer.compile.threads import share_out
from gossamer.compile.timings import Timings
from gossamer.compile.ways import Ways
from gossamer.errors import SpecError
from gossamer.graph.graph import Graph
from gossamer.graph.ops import Shape
from gossamer.graph.verify import verify
from gossamer.jit.target import HOST, Target, host_target, narrowed
from gossamer.runtime.plan import Border, Plan
from gossamer.runtime.program import Program


def compile(
    graph: Graph,
    threads: int = 1,
    *,
    measure: bool = True,
    target: str = HOST,
    least_memory: bool = False,
) -> Program:
    """Turn a graph into a program for this machine.

    Args:
        graph: a network.
        threads: that run it at most, 1…256; a small network runs on as many as make it fastest,
            maybe on one.
        measure: time the candidate kernels of each layer and keep the fastest; without it the
            likeliest is taken and compiling is quicker. The results are the same either way, to
            rounding. Times are remembered for equal layers, and on disk for the next process
            (`gossamer.jit.cache` says where), as is machine code.
        target: the instruction set that is used: "host" for all that this processor has, or a
            narrower one, to see what another class of machine would run: "avx2" (no AVX-512, no
            dot products of bytes) or "portable" (SSE2 on x86-64, NEON on 64-bit ARM). Caches and
            clock stay this processor's.
        least_memory: read weights as codes of a byte or less wherever the graph holds them so
            (codebooks; in linear layers integers, too) and a kernel can, not only where that is
            fastest: such weights take about half the memory, and convolutions some percent longer.

    Returns:
        A program; call it with (N, C, H, W) arrays.

    Raises:
        CompileError: if an operator has no kernel.
        GraphError: if this is not a well-formed graph.
        SpecError: for an impossible number of threads, or an instruction set that this processor
            does not have.

    Examples:
        >>> import numpy as np
        >>> from gossamer.graph import Dense, Graph, Input, Node
        >>> from gossamer.graph.ops import Conv2d
        >>> node = Node("double", Conv2d(), ("x",), {"weight": "w"})
        >>> graph = Graph(Input("x", (1, 1, 2, 2)), (node,), "double",
        ...               {"w": Dense(np.full((1, 1, 1, 1), 2.0))})
        >>> compile(graph)(np.ones((1, 1, 2, 2))).tolist()
        [[[[2.0, 2.0], [2.0, 2.0]]]]
    """
    if not isinstance(threads, int) or not 1 <= threads <= 256:
        raise SpecError("impossible number of threads", got=threads, expected="1…256")
    held = narrowed(host_target(), target)
    verify(graph)
    planner = partial(make_plan, graph, held, threads, measure, least_memory=least_memory)
    if least_memory:  # packs hold weights of their own
        return Program(graph, planner, threads)
    packs = packs_of(
        graph, partial(plan_example, held, threads, measure), held.lanes, measure=measure
    )
    return Program(graph, planner, threads, packs)


def plan_example(target: Target, threads: int, measure: bool, graph: Graph) -> Plan:
    """Return the fastest plan of a graph for images of the example's size; see `make_plan`."""
    return make_plan(graph, target, threads, measure, graph.input.example[1:])


def make_plan(
    graph: Graph,
    target: Target,
    threads: int,
    measure: bool,
    image_shape: Shape,
    *,
    keep_infinities: bool = False,
    least_memory: bool = False,
) -> Plan:
    """Return the fastest plan of a graph for images of one shape, (C, H, W) or (F,).

    Unmeasured, it runs on all the threads. With `keep_infinities`, kernels that make NaN of them
    are left out; with `least_memory`, those of numbers where there are some of codes. With either,
    layers are not multiplied out.
    """
    as_they_are = keep_infinities or least_memory
    ways = Ways(graph, image_shapes(graph, image_shape), may_multiply=not as_they_are)
    options = {"keep_infinities": keep_infinities, "least_memory": least_memory}

    def plan_of(count: int) -> Plan:
        timings = Timings(target, count) if measure else None

        def as_it_is(graph: Graph) -> Plan:
            lowered = lower(graph, image_shape, target, count, **options)
            return _plan(lowered, target, count, timings, image_shape)

        return plan_fastest(ways, as_it_is, timings)

    return share_out(plan_of, threads) if measure else plan_of(threads)


def _plan(
    lowered: Lowered,
    target: Target,
    threads: int,
    timings: Timings | None,
    image_shape: Shape,
) -> Plan:
    """Return a plan of steps that `threads` threads run."""
    binding = Binding(lowered, target)
    choices, reports = choose(lowered.steps, binding, timings, threads)
    steps, tables = binding.gather(choices)
    begin = lowered.border
    return Plan(
        steps=steps,
        input=binding.view(lowered.input, prod(image_shape)),
        output=binding.view(lowered.output, prod(lowered.output_shape[1:])),
        output_shape=lowered.output_shape[1:],
        arena=binding.arena,
        tables=tables,
        code=tuple({choice.code: None for choice in choices}),
        reports=tuple(reports),
        target=target,
        threads=threads,
        keeps_infinities=all(bound.choice.kernel.keeps_infinities for bound in choices),
        border=begin and Border(begin.steps, binding.view(begin.source, begin.features)),
    )
