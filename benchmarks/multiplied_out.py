"""Measure what choosing between factors and their products gains, over ranks and decompositions.

    python benchmarks/multiplied_out.py resnet-50 --size 224
    python benchmarks/multiplied_out.py resnet-50 --methods separable --shares 0.5 --zeros 0.9
    python benchmarks/multiplied_out.py mobilenet-v2 --methods none --shares 1

Every convolution of the network that a method applies to is replaced by factors with random
weights, at a share of the full rank; times do not ask what the weights are. Three programs take
turns in this process: the factors as they are, all of them multiplied out, and what the compiler
chooses. Of the processor's times of each the lower fifth counts: on a busy machine the clock says
less. Times by which kernels are chosen go into a cache of their own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from time import perf_counter, thread_time
from unittest.mock import patch

import numpy as np
import torch

import gossamer as gs
from gossamer.compile import ways as ways_file
from gossamer.compile.compile import compile
from gossamer.compile.lowering.lower import image_shapes
from gossamer.compile.ways import Ways
from gossamer.graph import Dense, Graph, Node, Sparse
from gossamer.graph.ops import Conv2d
from gossamer.runtime.program import Program

Factors = list[tuple[Conv2d, tuple[int, ...]]]
"""Operators and the shapes of their weights."""
LEAST_CHANNELS = 8


def factors(method: str, op: Conv2d, shape: Sequence[int], share: float) -> Factors | None:
    """Return what a method makes of a convolution, None if it leaves it."""
    k, c, r, s = shape
    top, left, bottom, right = op.padding
    first, last = Conv2d(op.stride, op.padding), Conv2d(activation=op.activation)

    def rank(full: int) -> int:
        return max(1, round(share * full))

    if method == "svd":
        between = rank(min(c * r * s, k))
        return [(first, (between, c, r, s)), (last, (k, between, 1, 1))]
    if (r, s) == (1, 1) or method == "none":
        return None
    if method == "separable":
        between = rank(min(c * r, k * s))
        column = Conv2d((op.stride[0], 1), (top, 0, bottom, 0))
        row = Conv2d((1, op.stride[1]), (0, left, 0, right), activation=op.activation)
        return [(column, (between, c, r, 1)), (row, (k, between, 1, s))]
    before, behind = rank(c), rank(k)
    return [
        (Conv2d(), (before, c, 1, 1)),
        (first, (behind, before, r, s)),
        (last, (k, behind, 1, 1)),
    ]


def factored(graph: Graph, method: str, share: float, zeros: float) -> Graph:
    """Return the graph with factors of random weights."""
    rng = np.random.default_rng(0)
    nodes, weights = [], dict(graph.weights)
    for node in graph.nodes:
        made = None
        if isinstance(node.op, Conv2d) and node.op.groups == 1:
            shape = graph.weights[node.weights["weight"]].shape
            if shape[1] >= LEAST_CHANNELS:
                made = factors(method, node.op, shape, share)
        value = node.inputs[0]
        for number, (op, shape) in enumerate(made or [], start=1):
            is_last = number == len(made or [])
            name = node.name if is_last else f"{node.name}.factor{number}"
            array = rng.standard_normal(shape) * (rng.random(shape) >= zeros)
            array /= (np.prod(shape[1:]) * (1 - zeros)) ** 0.5
            layout = Sparse if zeros else Dense
            weights[f"{name}.random"] = layout.from_dense(array.astype(np.float32))
            roles = {"weight": f"{name}.random"}
            if is_last and "bias" in node.weights:
                roles["bias"] = node.weights["bias"]
            nodes.append(Node(name, op, (value,), roles))
            value = name
        nodes += [] if made else [node]
    return graph.with_nodes(nodes, weights)


def multiplied(graph: Graph) -> Graph:
    """Return the graph with every chain multiplied out as far as it can be."""
    with patch.multiple(ways_file, MOST_MORE=1e9, MOST_WORK=2**50):
        ways = Ways(graph, image_shapes(graph, graph.input.example[1:]))
        longest = {chain: dict.fromkeys(ways.macs(chain), 1.0) for chain in ways.chains}
        return ways.graph_of({chain: ways_file.cheapest(c) for chain, c in longest.items()})


def as_it_is(graph: Graph) -> Program:
    with patch.object(ways_file, "MOST_MORE", 0.0):
        return compile(graph)


def times_ms(programs: Sequence[Program], seconds: float) -> list[float]:
    x = np.random.default_rng(0).standard_normal(programs[0].graph.input.example, np.float32)
    samples: list[list[float]] = [[] for _ in programs]
    begin = perf_counter()
    while perf_counter() - begin < seconds or len(samples[0]) < 6:
        for program, own in zip(programs, samples, strict=True):
            start = thread_time()
            program(x)
            own.append(thread_time() - start)
    return [1e3 * float(np.quantile(own[1:], 0.2)) for own in samples]


def row(graph: Graph, seconds: float) -> Iterator[str]:
    """Yield the cells of a row: times, chains tried and multiplied out, seconds of planning."""
    programs = [as_it_is(graph), as_it_is(multiplied(graph))]
    start = perf_counter()
    programs.append(compile(graph))
    planning_s = perf_counter() - start
    start = perf_counter()
    compile(graph)
    again_s = perf_counter() - start
    yield from (f"{time:.1f}" for time in times_ms(programs, seconds))
    reports = programs[-1].plan_for(graph.input.example[1:]).reports
    tried = [report.reason for report in reports if "multiplied out" in report.reason]
    yield f"{sum('not multiplied' not in reason for reason in tried)} of {len(tried)}"
    yield f"{planning_s:.1f}, {again_s:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--methods", nargs="+", default=["svd", "separable", "tucker"])  # or none
    parser.add_argument("--shares", nargs="+", type=float, default=[0.125, 0.25, 0.5, 0.75])
    parser.add_argument("--zeros", type=float, default=0.0, help="fraction, in each factor")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = gs.create_model(options.network).eval()
    graph = gs.export(model, torch.zeros(1, 3, options.size, options.size))
    print("| method | share of the rank | factors, ms | products, ms | chosen, ms | ", end="")
    print("chains multiplied out | planned, s: first, again |\n|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GOSSAMER_CACHE"] = cache
        for method in options.methods:
            for share in options.shares:
                cells = row(factored(graph, method, share, options.zeros), options.seconds)
                print(f"| {method} | {share:g} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
