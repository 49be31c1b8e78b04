"""Small graphs for the tests of compiler and runtime, and how closely results must agree."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from gossamer.compile import packs
from gossamer.compile.compile import make_plan, plan_example
from gossamer.graph import Dense, Graph, Input, Node, Sparse, interpret
from gossamer.graph.ops import Op
from gossamer.jit.target import HOST, Target, host_target, narrowed
from gossamer.runtime.program import Program

TOLERANCE = 1e-5
"""Largest difference over largest value: float32 sums of a few thousand terms."""


def target_with(lanes: int, isa: str = HOST) -> Target:
    """Return this machine's target with narrower vectors, or held to an instruction set, too."""
    target = narrowed(host_target(), isa)
    return replace(target, lanes=min(lanes, target.lanes))


def single(
    op: Op, shape: tuple[int, ...], *inputs_and_weights: object, **weights: np.ndarray
) -> Graph:
    """Return a graph of one operator that reads its input, as often as its arity asks."""
    names = ("x",) * max(1, op.arity)
    node = Node("y", op, names, {role: role for role in weights})
    layouts = {
        role: (Sparse if array.ndim > 1 else Dense).from_dense(array)
        for role, array in weights.items()
    }
    return Graph(
        Input("x", shape, frozenset({0, 2, 3}) if len(shape) == 4 else frozenset({0})),
        (node,),
        "y",
        layouts,
    )


def program(
    graph: Graph,
    *,
    threads: int = 1,
    lanes: int = 16,
    measure: bool = False,
    isa: str = HOST,
    least_memory: bool = False,
) -> Program:
    """Compile for vectors of at most `lanes`, and no more than an instruction set."""
    target = target_with(lanes, isa)
    planner = partial(make_plan, graph, target, threads, measure, least_memory=least_memory)
    return Program(graph, planner, threads)


def packed(
    graph: Graph, *, threads: int = 1, lanes: int = 16, measure: bool = False, isa: str = HOST
) -> Program:
    """Compile as `program` does, with packs for however small a tail."""
    target = target_with(lanes, isa)
    with patch.object(packs, "LEAST_MACS", 0), patch.object(packs, "LEAST_SHARE", 0):
        found = packs.packs_of(
            graph, partial(plan_example, target, threads, measure), target.lanes, measure=measure
        )
    assert found is not None, "the graph has no tail"
    return Program(graph, partial(make_plan, graph, target, threads, measure), threads, found)


def assert_equals_interpreter(graph: Graph, x: np.ndarray, **options: Any) -> None:
    """Compare a program with the interpreter on `x`."""
    expected = interpret(graph, x)
    with program(graph, **options) as compiled:
        got = compiled(x)
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    scale = max(float(np.abs(expected).max(initial=0)), 1e-6)
    assert float(np.abs(got - expected).max(initial=0)) / scale <= TOLERANCE


def sparse_array(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    """Return normal float32 numbers with about this fraction of nonzeros."""
    return (rng.standard_normal(shape) * (rng.random(shape) < density)).astype(np.float32)
