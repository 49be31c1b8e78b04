"""Linear layers by each of their kernels: weights as numbers, codes and integers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile import compile as compiling
from gossamer.compile.bind import Binding
from gossamer.compile.compile import compile as compile_graph
from gossamer.compile.lowering import linear
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.linear_rows import coded_form, coded_rows, float_rows, table_size
from gossamer.compile.step import Choice
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.layouts import Codebook, Layout, Quantised
from gossamer.graph.ops import ACTIVATIONS, Linear
from gossamer.jit.target import HOST
from tests.compile.graphs import TOLERANCE, program, target_with
from tests.compile.guard_pages import GuardedBinding, GuardedFromBelow
from tests.compile.not_finite import assert_allowed

NAN, INF = np.nan, np.inf
AVX2 = "avx2"
WAYS = [(4, HOST), (4, "portable"), (8, HOST), (8, "avx2"), (16, HOST)]
BINDINGS = [Binding, GuardedBinding, GuardedFromBelow] if os.name == "posix" else [Binding]


@contextmanager
def only(place: int) -> Iterator[None]:
    """Let linear layers have one choice: the one at a place, counted round and round."""
    choices = linear._Layer.choices

    def one(layer: linear._Layer, **options: bool) -> list[Choice]:
        found = list(choices(layer, **options))
        return [found[place % len(found)]]

    with patch.object(linear._Layer, "choices", one):
        yield


def kernels(graph: Graph, lanes: int = 16, isa: str = HOST) -> list[str]:
    """Return the labels of a layer's choices."""
    labels: list[str] = []
    choices = linear._Layer.choices

    def noted(layer: linear._Layer, **options: bool) -> list[Choice]:
        found = list(choices(layer, **options))
        labels.extend(choice.label for choice in found)
        return found

    with patch.object(linear._Layer, "choices", noted), program(graph, lanes=lanes, isa=isa) as p:
        p(np.zeros(graph.input.example, np.float32))
    return labels


def codebook(
    rng: np.random.Generator, shape: tuple[int, int], density: float, values: int
) -> Codebook:
    """Return shared values at random places; some may be zero, equal, or nobody's."""
    positions = np.flatnonzero(rng.random(shape[0] * shape[1]) < density)
    centroids = np.rint(8 * rng.standard_normal(values)).astype(np.float32) / 8
    return Codebook(shape, positions, rng.integers(0, values, len(positions)), centroids)


def quantised(
    rng: np.random.Generator, shape: tuple[int, int], density: float, values: int
) -> Quantised:
    """Return integers of a range at random places; some scales are zero."""
    low = -(values // 2)
    integers = rng.integers(low, low + values, shape) * (rng.random(shape) < density)
    scales = rng.standard_normal(shape[0]) * (rng.random(shape[0]) < 0.9)
    return Quantised(integers, scales)


def layer(layout: Layout, activation: str = "identity", **vectors: np.ndarray) -> Graph:
    weights = {role: Dense(vector.astype(np.float32)) for role, vector in vectors.items()}
    weights["weight"] = layout
    node = Node("y", Linear(activation), ("x",), {role: role for role in weights})
    return Graph(Input("x", (1, layout.shape[1])), (node,), "y", weights)


@given(st.data())
def test_every_kernel_computes_the_layer(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    shape = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 50))
    density = data.draw(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]))
    make = data.draw(st.sampled_from([codebook, quantised]))
    layout = make(rng, shape, density, data.draw(st.integers(1, 256)))
    vectors = {"bias": rng.standard_normal(shape[0])}
    if data.draw(st.booleans()):
        vectors["scale"] = rng.standard_normal(shape[0]) * (rng.random(shape[0]) < 0.9)
    graph = layer(layout, data.draw(st.sampled_from(ACTIVATIONS)), **vectors)
    x = rng.standard_normal((1, shape[1])).astype(np.float32)
    share = data.draw(st.sampled_from([0.0, 0.0, 0.05, 0.5]))
    x[rng.random(x.shape) < share] = rng.choice([NAN, INF, -INF])
    lanes, isa = data.draw(st.sampled_from(WAYS))
    with ExitStack() as changes:
        binding = data.draw(st.sampled_from(BINDINGS))
        changes.enter_context(patch.object(compiling, "Binding", binding))
        changes.enter_context(only(data.draw(st.integers(0, 3))))
        threads = data.draw(st.integers(1, 3))
        compiled = changes.enter_context(program(graph, lanes=lanes, isa=isa, threads=threads))
        assert_allowed(graph, x, compiled(x), TOLERANCE)


@given(
    st.integers(0, 2**31),
    st.sampled_from([codebook, quantised]),
    st.integers(1, 256),
    st.booleans(),
)
def test_forms_mean_the_weight(seed: int, make: object, values: int, is_scaled: bool) -> None:
    rng = np.random.default_rng(seed)
    layout = make(rng, (9, 7), 0.6, values)  # type: ignore[operator]
    scale = (rng.integers(0, 4, 9) / 2).astype(np.float32) if is_scaled else None
    expected = layout.to_dense() * (1 if scale is None else scale[:, None])
    form = coded_form(layout, scale)
    assert form is not None
    assert form.entry_bytes == 1
    rows = coded_rows(layout, scale, form)
    entries = rows.dense.view(np.int8).astype(np.float32)
    if rows.table is not None:
        entries = np.append(rows.table, np.zeros(256, np.float32))[rows.dense]
    np.testing.assert_allclose(entries * rows.factors[:, None], expected, rtol=1e-6)
    numbers = float_rows(Filters.of(layout, np.arange(7), scale))
    np.testing.assert_array_equal(numbers.dense, expected)


def test_rows_that_read_infinities_do_not_read_them_for_padding() -> None:
    weight = np.array([[0, 2, 0, 2, 0], [2, 2, 2, 2, 0], [0, 0, 0, 0, -2]], np.float32)
    graph, x = layer(Codebook.from_dense(weight)), np.array([[1, INF, 1, 1, INF]], np.float32)
    for place in range(4):
        with only(place), program(graph) as compiled:
            got = compiled(x)
        assert_allowed(graph, x, got, TOLERANCE)


@pytest.mark.parametrize("values", range(1, 257))
def test_tables_have_few_sizes(values: int) -> None:
    size = table_size(values)
    assert values <= size <= 256
    assert size & (size - 1) == 0 or (size - 1) & (size - 2) == 0
    assert size <= max(4, 2 * (values - 1))


@pytest.mark.skipif(target_with(8).lanes < 8, reason="not a processor with AVX2")
def test_codes_come_before_numbers_if_they_are_quick_to_look_up() -> None:
    rng = np.random.default_rng(0)
    sparse, dense = codebook(rng, (64, 50), 0.1, 15), codebook(rng, (64, 50), 1.0, 16)
    assert [k.split("-")[2:4] for k in kernels(layer(sparse), 8)] == [
        ["sparse", "codes16"],
        ["sparse", "floats"],
    ]
    assert [k.split("-")[2:4] for k in kernels(layer(dense), 8, "avx2")] == [
        ["dense4", "codes16"],
        ["dense4", "identity"],
    ]
    assert all("codes" not in kernel for kernel in kernels(layer(dense), 4))
    assert any("int8" in kernel for kernel in kernels(layer(quantised(rng, (9, 9), 1, 256)), 4))


@pytest.mark.parametrize("values", [1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 33, 65, 129])
@pytest.mark.parametrize("lanes", [8, 16])
def test_packed_codes_of_each_width(values: int, lanes: int) -> None:
    """Where a table is shorter than a vector, the bits that follow a code are in the way."""
    rng = np.random.default_rng(values)
    places = np.arange(40 * 37)
    centroids = 1 + np.arange(values, dtype=np.float32)
    layout = Codebook((40, 37), places, rng.integers(0, values, len(places)), centroids)
    graph, x = layer(layout), rng.standard_normal((1, 37)).astype(np.float32)
    with only(0), program(graph, lanes=lanes, least_memory=True) as compiled:
        assert_allowed(graph, x, compiled(x), TOLERANCE)


@pytest.mark.skipif(target_with(8).lanes < 8, reason="not a processor with AVX2")
def test_the_least_memory_is_that_of_codes_even_if_they_are_slow() -> None:
    rng = np.random.default_rng(0)
    graph = layer(codebook(rng, (64, 50), 0.9, 100))
    x, sizes = rng.standard_normal((1, 50)).astype(np.float32), []
    for least_memory in (False, True):
        with compile_graph(
            graph, measure=False, target=AVX2, least_memory=least_memory
        ) as compiled:
            assert_allowed(graph, x, compiled(x), TOLERANCE)
            report = next(r for r in compiled.plan_for((50,)).reports if r.macs)
        assert ("codes" in report.kernel) == least_memory
        sizes.append(report.table_bytes)
    assert sizes[1] < 0.4 * sizes[0]


def test_without_a_form_there_are_only_numbers() -> None:
    rng = np.random.default_rng(0)
    many = codebook(rng, (64, 50), 0.9, 256)
    many = Codebook(many.shape, many.positions, np.arange(len(many.codes)), np.arange(1.0, 4000))
    assert coded_form(many, None) is None
    assert coded_form(Dense.from_dense(np.ones((2, 2), np.float32)), None) is None
    small = codebook(rng, (3, 5), 0.5, 4)
    assert coded_form(small, np.full(3, 1e-30, np.float32)) is None
    assert coded_form(small, np.full(3, np.nan, np.float32)) is None


def test_columns_beyond_sixteen_bits_are_read_wide() -> None:
    rng = np.random.default_rng(0)
    layout = codebook(rng, (20, 70_000), 0.001, 5)
    graph, x = layer(layout), rng.standard_normal((1, 70_000)).astype(np.float32)
    assert all("wide" in kernel for kernel in kernels(graph))
    for place in (0, 1):
        with only(place), program(graph) as compiled:
            assert_allowed(graph, x, compiled(x), TOLERANCE)
