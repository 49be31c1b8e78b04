"""Whether the images of a batch share a network's tail, and how many of them do at once.

What a pack gains is that weights are read once for all its images; what it costs is another plan,
with tables of weights of its own, and sums for nobody where it is not full.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from time import perf_counter

from gossamer.graph.counting import count
from gossamer.graph.graph import Graph
from gossamer.graph.tail import Tail, find_tail, over_pictures
from gossamer.runtime.packs import Packs
from gossamer.runtime.plan import Plan
from gossamer.runtime.workers import Workers

SIZES = 4, 8, 16
"""Images of packs. With 16, a weight takes longer to be multiplied than to come from memory."""
VECTORS = 2
"""Of images in the largest packs: with one, dense kernels wait for weights more than for sums."""
LEAST_MACS = 30_000
"""A tail of fewer nonzero MACs takes an image some microseconds, and is not worth another plan."""
LEAST_SHARE = 1e-3
"""Of a network's nonzero MACs. A tail's take some ten times as long as a convolution's, which reads
its weights once for all pixels: with a smaller share packs would gain less than a percent."""
SPARSE = 0.2
"""Density of a tail up to which its kernels compute whole vectors of images. Denser ones may hold
channels there, so that less than a vector of images takes less time."""
FEWEST = 4
"""Images from which on a pack is taken where nothing is measured."""
ROUNDS = 5


def packs_of(
    graph: Graph, planner: Callable[[Graph], Plan], lanes: int, *, measure: bool
) -> Packs | None:
    """Return how the tail of a graph runs for many images; None if it has none that is worth it.

    Args:
        graph: a well-formed graph.
        planner: graph → its plan for the example's size.
        lanes: of a vector.
        measure: time from how many images on a pack pays; otherwise from `FEWEST` on.
    """
    tail = find_tail(graph)
    if tail is None:
        return None
    names = {node.name for node in tail.nodes}
    counts = count(graph)
    layers = [node for node in counts.nodes if node.name in names and node.macs]
    macs = sum(layer.effective_macs for layer in layers)
    if macs < max(LEAST_MACS, LEAST_SHARE * counts.effective_macs):
        return None
    sizes = sorted({*SIZES, max(*SIZES, VECTORS * lanes)})
    is_sparse = macs <= SPARSE * sum(layer.macs for layer in layers)
    return Packs(
        first=layers[0].name,
        sizes=tuple(size for size in sizes if size >= lanes or not is_sparse),
        planner=partial(_plan_tail, graph, tail, planner),
        fewest=_fewest if measure else lambda one, pack: FEWEST,
    )


def _plan_tail(graph: Graph, tail: Tail, planner: Callable[[Graph], Plan], images: int) -> Plan:
    """Return the plan of a tail for a picture of which each pixel is an image."""
    return planner(over_pictures(graph, tail, images))


def _fewest(one: Plan, pack: Plan) -> int:
    """Return for how many images the tail takes longer, one after another, than for a pack."""
    assert one.border  # for the type checker: there are no packs without
    first = one.border.steps
    alone = replace(one, steps=one.steps[first:], reports=one.reports[first:])
    with ExitStack() as stack:
        plans = [(p, stack.enter_context(closing(Workers(p.threads)))) for p in (alone, pack)]
        rounds = [[_time_s(*plan) for plan in plans] for _ in range(ROUNDS + 1)]
    alone_s, pack_s = (min(times) for times in zip(*rounds[1:], strict=True))
    return 1 + int(pack_s / max(alone_s, 1e-9))


def _time_s(plan: Plan, workers: Workers) -> float:
    start = perf_counter()
    workers.run(*plan.job)
    return perf_counter() - start
