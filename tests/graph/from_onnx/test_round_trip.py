"""Graph → ONNX → graph: the same function, for every operator of the graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Graph, interpret, ops
from gossamer.graph.from_onnx import from_onnx
from gossamer.graph.rewrite.pipeline import rewrite
from gossamer.graph.to_onnx import to_onnx

SEED = st.integers(0, 2**32 - 1)


@given(SEED)
def test_random_graphs(random_graph: Callable[[int], Graph], seed: int) -> None:
    graph = random_graph(seed)
    back = from_onnx(to_onnx(graph))
    x = np.random.default_rng(seed).standard_normal(graph.input.example).astype(np.float32)
    values: dict[str, np.ndarray] = {}
    expected, got = interpret(graph, x, values=values), interpret(back, x)
    largest = max(float(np.abs(value).max()) for value in values.values())
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-5 * largest
    assert back.input.free == graph.input.free


@given(SEED)
def test_a_second_time_changes_nothing_but_names(
    random_graph: Callable[[int], Graph], seed: int
) -> None:
    once = from_onnx(to_onnx(random_graph(seed)))
    twice = from_onnx(to_onnx(once))
    assert [node.op for node in rewrite(twice).nodes] == [node.op for node in rewrite(once).nodes]


def test_random_graphs_have_every_operator(random_graph: Callable[[int], Graph]) -> None:
    seen = {type(node.op) for seed in range(200) for node in random_graph(seed).nodes}
    assert seen == set(ops.OPS)


def test_names_and_record_are_kept(named_graph: Graph) -> None:
    back = from_onnx(to_onnx(named_graph))
    assert back == named_graph
