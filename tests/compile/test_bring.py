"""Values that are read elsewhere than where they lie arrive whole, whatever the two places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.compile.kernels.move import GatherKernel
from gossamer.compile.kernels.relayout import RelayoutKernel, TransposeKernel
from gossamer.compile.lowering.lower import lower
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Conv2d, MaxPool2d, Op
from tests.compile.graphs import assert_equals_interpreter, single, target_with


def kernels_of(graph: Graph, lanes: int = 8) -> list[type]:
    steps = lower(graph, graph.input.example[1:], target_with(lanes), 1).steps
    return [type(step.choices[0].kernel) for step in steps]


def network(size: int, channels: int, ops: Sequence[Op]) -> Graph:
    """Return a chain; convolutions keep the channels."""
    rng, nodes, weights = np.random.default_rng(1), [], {}
    for index, op in enumerate(ops):
        name = f"n{index}"
        roles = {}
        if isinstance(op, Conv2d):
            roles = {"weight": name}
            taps = rng.standard_normal((channels, channels, 3, 3)) / (3 * channels**0.5)
            weights[name] = Dense(taps.astype(np.float32))
        nodes.append(Node(name, op, (nodes[-1].name if nodes else "x",), roles))
    return Graph(Input("x", (1, channels, size, size)), tuple(nodes), nodes[-1].name, weights)


def picture(graph: Graph) -> np.ndarray:
    shape = graph.input.example
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


SAME, HALF = Conv2d(padding=(1, 1, 1, 1), activation="relu"), Conv2d((2, 2), (1, 1, 1, 1))


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("channels", [1, 3, 5, 8])
@pytest.mark.parametrize("size", [13, 28, 30])
def test_a_cut_between_two_tilings_moves_every_pixel(size: int, channels: int, lanes: int) -> None:
    graph = network(size, channels, [SAME, SAME, HALF, SAME, HALF, SAME, MaxPool2d((2, 2), (2, 2))])
    assert_equals_interpreter(graph, picture(graph), lanes=lanes)


def test_planes_are_put_together_from_vectors() -> None:
    graph = network(28, 64, [SAME, SAME, HALF, SAME, SAME])
    assert RelayoutKernel in kernels_of(graph)


@pytest.mark.parametrize(("size", "expected"), [((32, 64), True), ((5, 3), False)])
def test_rows_of_pixels_are_transposed_where_they_are_long(
    size: tuple[int, int], expected: bool
) -> None:
    graph = single(MaxPool2d((1, 1), (1, 1)), (1, 2, *size))
    kernels = kernels_of(graph)
    assert (TransposeKernel in kernels) == expected
    assert (GatherKernel in kernels) != expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 3),
    st.sampled_from([4, 8, 16]),
    st.data(),
)
def test_a_picture_arrives_with_zeros_around(
    height: int, width: int, padding: int, lanes: int, data: st.DataObject
) -> None:
    threads = data.draw(st.sampled_from([1, 2]))
    weight = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    if min(height, width) + 2 * padding < 3:
        return
    graph = single(
        Conv2d(padding=(padding, padding, padding, padding)), (1, 1, height, width), weight=weight
    )
    assert_equals_interpreter(graph, picture(graph), lanes=lanes, threads=threads)
