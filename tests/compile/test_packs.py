"""Batches whose tails run in packs: each image is answered as if it came alone, to rounding."""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.compile import compile as compiling
from gossamer.compile.bind import Binding
from gossamer.compile.compile import compile
from gossamer.compile.packs import FEWEST, LEAST_MACS, SIZES
from gossamer.graph import Dense, Graph, Input, Node, Quantised, Sparse, interpret
from gossamer.graph.ops import (
    COMPETITIONS,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    Linear,
    Op,
    Quantise,
    Softmax,
    Threshold,
)
from tests.compile.graphs import packed, sparse_array
from tests.compile.guard_pages import GuardedBinding, GuardedFromBelow
from tests.compile.not_finite import assert_allowed
from tests.compile.random_cases import any_kernel
from tests.compile.random_graphs import ON_PLANES, ON_VECTORS, Growing

TOLERANCE = 3e-5
"""Of the largest value: short sums in another order, through a few layers."""
ACTIVATIONS = ("identity", "relu", "sigmoid")
BINDINGS = (Binding, GuardedBinding, GuardedFromBelow)


def random_network(rng: np.random.Generator) -> Graph:
    """Return a small graph that ends in linear layers, half of them with pictures before."""
    shape = (1, int(rng.integers(1, 9)), *(int(n) for n in rng.integers(1, 9, 2)))
    shape = shape if rng.random() < 0.5 else shape[:2]
    growing = Growing(rng, ACTIVATIONS, {"x": shape})
    value = "x"
    if len(shape) == 4:
        for _ in range(int(rng.integers(0, 3))):
            value = ON_PLANES[int(rng.integers(len(ON_PLANES)))](growing, value)
        if len(growing.shapes[value]) == 4:
            value = growing.add(Flatten(), value)
    made = {value: growing.shapes[value]}
    value = growing.linear(value)
    growing.shapes = {**made, value: growing.shapes[value]}
    for _ in range(int(rng.integers(0, 5))):
        value = ON_VECTORS[int(rng.integers(len(ON_VECTORS)))](growing, value)
    return growing.finish(shape)


def layers(rng: np.random.Generator, density: float = 1.0, *between: Op) -> Graph:
    """Return flat → linear → what is given → linear, 24 features each, 7 at the end."""
    sizes, layout = ((24, 24), (7, 24)), Dense if density == 1 else Sparse
    weights = {
        f"w{i}": layout.from_dense(sparse_array(rng, size, density)) for i, size in enumerate(sizes)
    }
    nodes = [Node("first", Linear("relu"), ("x",), {"weight": "w0"})]
    for index, op in enumerate(between):
        roles = {role: f"{role}{index}" for role in op.roles}
        weights |= {name: Dense(np.full(24, 0.5)) for name in roles.values()}
        nodes.append(Node(f"n{index}", op, (nodes[-1].name,), roles))
    nodes.append(Node("last", Linear(), (nodes[-1].name,), {"weight": "w1"}))
    return Graph(Input("x", (1, 24)), tuple(nodes), "last", weights)


def assert_close(got: np.ndarray, expected: np.ndarray) -> None:
    largest = max(float(np.abs(expected).max(initial=0)), 1e-6)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * largest)


def images(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    shape = (count, *graph.input.example[1:])
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(1, 70),
    lanes=st.sampled_from([4, 8, 16]),
    threads=st.sampled_from([1, 1, 2]),
    binding=st.sampled_from(BINDINGS),
    odd=st.booleans(),
)
def test_batches_of_random_networks(
    seed: int, batch: int, lanes: int, threads: int, binding: type[Binding], odd: bool
) -> None:
    graph = random_network(np.random.default_rng(seed))
    x = images(graph, batch, seed)
    with (
        patch.object(compiling, "Binding", binding),
        any_kernel(seed) if odd else nullcontext(),
        packed(graph, lanes=lanes, threads=threads) as program,
    ):
        together = program(x)
        assert_allowed(graph, x, together, TOLERANCE)
        again = program(x[::-1])[::-1]
        alone = np.concatenate([program(image[None]) for image in x[:8]])
    assert_close(again, together)
    assert_close(alone, together[:8])


@pytest.mark.parametrize("density", [1.0, 0.1])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_batch_up_to_seventy(density: float, threads: int) -> None:
    graph = layers(np.random.default_rng(0), density)
    x = images(graph, 70)
    expected = interpret(graph, x)
    with packed(graph, threads=threads) as program:
        for batch in range(1, 71):
            assert_close(program(x[:batch]), expected[:batch])


@pytest.mark.parametrize("measure", [False, True])
def test_measured_or_not(measure: bool) -> None:
    graph = layers(np.random.default_rng(0), 0.3)
    x = images(graph, 20)
    with packed(graph, measure=measure) as program:
        assert_close(program(x), interpret(graph, x))


@pytest.mark.parametrize(
    "op",
    [*(KWinners(0.4, over) for over in COMPETITIONS), Softmax(), Threshold()],
    ids=repr,
)
def test_images_do_not_compete(op: Op) -> None:
    graph = layers(np.random.default_rng(0), 1.0, op)
    x = images(graph, 19) * np.linspace(0.1, 100, 19, dtype=np.float32)[:, None]
    with packed(graph) as program:
        y = program(x)
    expected = interpret(graph, x)
    largest = np.abs(expected).max(1, keepdims=True)
    assert (np.abs(y - expected) <= 1e-5 * largest).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("density", [1.0, 0.2])
@settings(max_examples=15)
@given(data=st.data())
def test_what_is_not_finite_stays_in_its_image(
    data: st.DataObject, bad: float, density: float
) -> None:
    between = data.draw(st.sampled_from([(), (KWinners(0.4),), (Softmax(),)]))
    graph = layers(np.random.default_rng(0), density, *between)
    batch = data.draw(st.integers(FEWEST, 40))
    sick = np.zeros(batch, bool)
    sick[data.draw(st.lists(st.integers(0, batch - 1), min_size=1, max_size=batch))] = True
    x = images(graph, batch)
    with packed(graph) as program:
        healthy = program(x)
        x[sick, data.draw(st.integers(0, 23))] = bad
        y = program(x)
        assert np.array_equal(y[~sick], healthy[~sick])
        assert_allowed(graph, x, y, TOLERANCE)
        x[sick] = images(graph, batch, 1)[sick]
        assert np.isfinite(program(x)).all()  # also what was left of the pack before


def test_integers_are_exact() -> None:
    """All numbers are multiples of powers of two that float32 holds: nothing may be rounded."""
    rng = np.random.default_rng(0)
    levels = Quantise(2.0**-3, 5, 0, 255)
    weights = {
        name: Quantised(rng.integers(-9, 10, size).astype(np.int8), np.full(size[0], 2.0**-4))
        for name, size in (("filters", (6, 3, 3, 3)), ("first", (40, 96)), ("second", (10, 40)))
    }
    nodes = (
        Node("in", Quantise(2.0**-4), ("x",)),
        Node("conv", Conv2d(activation="relu"), ("in",), {"weight": "filters"}),
        Node("flat", Flatten(), ("conv",)),
        Node("a", levels, ("flat",)),
        Node("one", Linear("relu"), ("a",), {"weight": "first"}),
        Node("b", levels, ("one",)),
        Node("two", Linear(), ("b",), {"weight": "second"}),
    )
    graph = Graph(Input("x", (1, 3, 6, 6)), nodes, "two", weights)
    x = images(graph, 45)
    with packed(graph) as program:
        for batch in (1, 3, 4, 8, 17, 45):
            np.testing.assert_array_equal(program(x[:batch]), interpret(graph, x[:batch]))


def test_pictures_of_other_sizes_have_the_same_tail() -> None:
    rng = np.random.default_rng(0)
    arrays = {"filters": (8, 4, 3, 3), "matrix": (10, 8)}
    weights = {name: Dense(sparse_array(rng, shape, 1.0)) for name, shape in arrays.items()}
    nodes = (
        Node("conv", Conv2d(activation="relu"), ("x",), {"weight": "filters"}),
        Node("mean", GlobalAvgPool(), ("conv",)),
        Node("flat", Flatten(), ("mean",)),
        Node("fc", Linear(), ("flat",), {"weight": "matrix"}),
    )
    graph = Graph(Input("x", (1, 4, 9, 9), frozenset({0, 2, 3})), nodes, "fc", weights)
    with packed(graph) as program:
        for size in (9, 12, 7):
            x = rng.standard_normal((20, 4, size, size)).astype(np.float32)
            assert_close(program(x), interpret(graph, x))


def matrix(features: int, outputs: int) -> Graph:
    weight = Dense(np.ones((outputs, features), np.float32))
    node = Node("fc", Linear(), ("x",), {"weight": "w"})
    return Graph(Input("x", (1, features)), (node,), "fc", {"w": weight})


def test_tails_worth_it_are_packed_and_explain_says_so() -> None:
    side = int(LEAST_MACS**0.5)
    with compile(matrix(side, side), measure=False) as program:
        assert "batches" not in program.explain(measure=False)
    with compile(matrix(side + 1, side + 1), measure=False) as program:
        assert "from fc on, up to" in program.explain(measure=False)
        program(np.ones((SIZES[-1], side + 1)))
        told = f"packs of {SIZES[-1]} pay from {FEWEST} images on"
        assert told in program.explain(measure=False)


def test_a_tail_that_is_little_beside_the_rest_is_not_packed() -> None:
    rng = np.random.default_rng(0)
    weights = {
        "filters": Dense(sparse_array(rng, (64, 64, 3, 3), 1.0)),
        "w": Dense(np.ones((600, 64))),
    }
    nodes = (
        Node("conv", Conv2d(), ("x",), {"weight": "filters"}),
        Node("mean", GlobalAvgPool(), ("conv",)),
        Node("flat", Flatten(), ("mean",)),
        Node("fc", Linear(), ("flat",), {"weight": "w"}),
    )
    for size, is_packed in ((6, True), (70, False)):
        graph = Graph(Input("x", (1, 64, size, size)), nodes, "fc", weights)
        with compile(graph, measure=False) as program:
            assert ("batches" in program.explain(measure=False)) == is_packed
