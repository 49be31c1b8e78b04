"""Any number of images in a batch: each is answered as if it came alone."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.compile.compile import compile
from gossamer.graph import Dense, Graph, Input, Node, interpret
from gossamer.graph.ops import Conv2d, Flatten, GlobalAvgPool, Linear, Quantise
from gossamer.graph.quantise import QuantiseOptions, quantise
from tests.compile.graphs import sparse_array

CASES = [(batch, threads) for batch in (1, 3, 64) for threads in (1, 2)]
TOLERANCE = 1e-5
"""Of the largest value: sums of at most 144 terms of a size, in another order."""


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(0)
    arrays = {
        "first": sparse_array(rng, (16, 4, 3, 3), 0.5),
        "second": sparse_array(rng, (24, 16, 3, 3), 0.9),
        "last": rng.standard_normal((10, 24)).astype(np.float32),
    }
    conv = Conv2d(padding=(1, 1, 1, 1), activation="relu")
    nodes = (
        Node("one", conv, ("x",), {"weight": "first"}),
        Node("two", conv, ("one",), {"weight": "second"}),
        Node("mean", GlobalAvgPool(), ("two",)),
        Node("flat", Flatten(), ("mean",)),
        Node("classes", Linear(), ("flat",), {"weight": "last"}),
    )
    weights = {name: Dense(array) for name, array in arrays.items()}
    return Graph(Input("x", (1, 4, 9, 9)), nodes, "classes", weights)


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 4, 9, 9)).astype(np.float32)


@pytest.mark.parametrize(("batch", "threads"), CASES)
def test_a_batch_equals_the_interpreter_and_its_images(
    graph: Graph, batch: int, threads: int
) -> None:
    x = pictures(batch)
    expected = interpret(graph, x)
    with compile(graph, threads, measure=False) as program:
        y = program(x)
        alone = np.concatenate([program(image[None]) for image in x])
    assert y.shape == (batch, 10)
    assert np.array_equal(y, alone)
    np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize(("batch", "threads"), CASES)
def test_a_batch_in_int8(graph: Graph, batch: int, threads: int) -> None:
    coarse = quantise(graph, pictures(16), QuantiseOptions("minmax"))
    x = pictures(batch)
    with compile(coarse, threads, measure=False) as program:
        y = program(x)
        alone = np.concatenate([program(image[None]) for image in x])
    assert np.array_equal(y, alone)
    # What lies in the middle of two levels may fall to either: one input of the last layer may.
    step = max(node.op.scale for node in coarse.nodes[-2:] if isinstance(node.op, Quantise))
    one_step = step * np.abs(graph.weights["last"].to_dense()).max()
    np.testing.assert_allclose(y, interpret(coarse, x), rtol=0, atol=one_step)
