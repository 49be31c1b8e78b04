"""Convolutions that read weights as codes, where the least memory is asked for."""

from __future__ import annotations

import os
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile import compile as compiling
from gossamer.compile.bind import Binding
from gossamer.compile.kernels.coded_conv import CodedConvKernel
from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering import convolution
from gossamer.compile.lowering.coded_conv import CodedRows, coded_rows
from gossamer.compile.lowering.conv_streams import ConvRows, build_streams, split_rows
from gossamer.compile.lowering.conv_ways import Way
from gossamer.compile.lowering.filters import Filters
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.layouts import Codebook, Layout
from gossamer.graph.ops import Conv2d, Linear
from gossamer.jit.target import HOST
from tests.compile.graphs import TOLERANCE, program
from tests.compile.guard_pages import GuardedBinding, GuardedFromBelow
from tests.compile.not_finite import assert_allowed

VECTOR_BYTES = 64
WAYS = [(4, HOST), (4, "portable"), (8, HOST), (8, "avx2"), (16, HOST)]
BINDINGS = [Binding, GuardedBinding, GuardedFromBelow] if os.name == "posix" else [Binding]


def codebook(
    rng: np.random.Generator, shape: tuple[int, ...], density: float, values: int
) -> Codebook:
    """Return shared values at random places; one may be zero."""
    positions = np.flatnonzero(rng.random(int(np.prod(shape))) < density)
    centroids = np.rint(16 * rng.standard_normal(values)).astype(np.float32) / 16
    return Codebook(shape, positions, rng.integers(0, values, len(positions)), centroids)


def rows_of(
    rng: np.random.Generator, layout: Layout, scale: np.ndarray
) -> tuple[ConvRows, CodedRows | None]:
    """Return a (K, taps) weight with offsets, as numbers and as codes."""
    taps, order = layout.shape[1], rng.permutation(layout.shape[1])
    rows = ConvRows(
        Filters.of(layout, order, scale),
        VECTOR_BYTES * np.arange(taps)[None],
        4 * rng.permutation(layout.shape[0]),
        rng.integers(1, 5, layout.shape[0]).astype(np.float32),
    )
    return rows, coded_rows(layout, order, scale, rows)


def read_back(coded: CodedRows, kernel: CodedConvKernel, plain: ConvKernel) -> np.ndarray:
    """Walk the streams as the kernel does; return (K, taps + 1) weights and biases."""
    rows, table = coded.rows, coded.table(kernel, 16)
    streams = build_streams(rows, plain, 1, split_rows(rows, 2), VECTOR_BYTES)
    streams = coded.streams(streams, plain, kernel)
    stream, found = streams.stream.ravel(), np.zeros((len(rows.weight), rows.weight.shape[1] + 1))
    kind, unit = (np.int32, 1) if kernel.wide else (np.uint16, VECTOR_BYTES)
    records = streams.groups.view(np.uint8).reshape(-1, kernel.group_bytes)
    for record in records:
        begin, end = record[:16].view(np.int64)
        outputs, biases, factors = record[16:].view(np.int32).reshape(3, kernel.rows)
        sums = np.zeros((kernel.rows, found.shape[1]))
        sums[:, -1] = biases.view(np.float32)
        for at in range(begin, end, kernel.turn_bytes):
            codes = stream[at : at + kernel.turn_weights]
            size = kernel.offset_bytes * kernel.turn_weights
            offsets = stream[at + kernel.weight_bytes :][:size].view(kind)
            for i, (code, offset) in enumerate(zip(codes, offsets, strict=True)):
                sums[i % kernel.rows, offset * unit // VECTOR_BYTES] += table[code]
        for m, output in enumerate(outputs):
            row = list(rows.outputs).index(output)
            found[row] = sums[m] * factors.view(np.float32)[m]
    return found


@given(
    st.integers(0, 2**31),
    st.integers(1, 256),
    st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    st.sampled_from([(1, 1), (1, 4), (2, 2), (3, 1)]),
    st.booleans(),
)
def test_streams_hold_the_weight(
    seed: int, values: int, density: float, turn: tuple[int, int], wide: bool
) -> None:
    rng = np.random.default_rng(seed)
    layout = codebook(rng, (7, 12), density, values)
    scale = rng.integers(-2, 4, 7).astype(np.float32)
    rows, coded = rows_of(rng, layout, scale)
    plain = ConvKernel(turn[0], 1, 1, unroll=turn[1], wide=wide)
    kernel = coded.kernel(plain) if coded else None
    if coded is None or kernel is None:
        assert plain.turn_weights > 1
        assert rows.counts.max() == 12 or len(np.unique(layout.centroids)) == 256
        return
    expected = np.concatenate([rows.weight.dense, rows.bias[:, None]], axis=1)
    np.testing.assert_allclose(read_back(coded, kernel, plain), expected, rtol=1e-6)


@given(st.data())
def test_every_kernel_computes_the_convolution(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    filters, channels = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 12))
    size, density = data.draw(st.integers(1, 20)), data.draw(st.sampled_from([0.05, 0.3, 0.6]))
    values = data.draw(st.sampled_from([1, 4, 16, 31, 32, 60, 255, 256]))
    kernel = data.draw(st.sampled_from([1, 3]))
    layout = codebook(rng, (filters, channels, kernel, kernel), density, values)
    op = Conv2d(
        (1, 1), (kernel // 2,) * 4, activation=data.draw(st.sampled_from(["identity", "relu"]))
    )
    vectors = {"bias": rng.standard_normal(filters)}
    if data.draw(st.booleans()):
        vectors["scale"] = rng.standard_normal(filters) * (rng.random(filters) < 0.9)
    graph = layer(op, (1, channels, size, size), layout, **vectors)
    x = rng.standard_normal((1, channels, size, size)).astype(np.float32)
    share = data.draw(st.sampled_from([0.0, 0.0, 0.01, 0.1]))
    x[rng.random(x.shape) < share] = rng.choice([np.nan, np.inf, -np.inf])
    lanes, isa = data.draw(st.sampled_from(WAYS))
    place = data.draw(st.integers(0, 100))

    def one(ways: list[Way]) -> list[Way]:
        return [ways[place % len(ways)]]

    with ExitStack() as changes:
        changes.enter_context(
            patch.object(compiling, "Binding", data.draw(st.sampled_from(BINDINGS)))
        )
        changes.enter_context(patch.object(convolution, "rank_ways", one))
        options = {"lanes": lanes, "isa": isa, "threads": data.draw(st.integers(1, 2))}
        compiled = changes.enter_context(program(graph, **options, least_memory=True))
        assert_allowed(graph, x, compiled(x), TOLERANCE)


def layer(op: Conv2d | Linear, shape: tuple, layout: Layout, **vectors: np.ndarray) -> Graph:
    weights: dict[str, Layout] = {r: Dense(v.astype(np.float32)) for r, v in vectors.items()}
    node = Node("y", op, ("x",), {role: role for role in (*weights, "weight")})
    return Graph(Input("x", shape), (node,), "y", {**weights, "weight": layout})


@pytest.mark.parametrize("values", [16, 200])
def test_the_least_memory_of_a_convolution_is_about_half(values: int) -> None:
    rng = np.random.default_rng(0)
    graph = layer(Conv2d(), (1, 64, 7, 7), codebook(rng, (64, 64, 1, 1), 0.1, values))
    sizes = []
    for least_memory in (False, True):
        with program(graph, lanes=8, least_memory=least_memory) as compiled:
            report = next(r for r in compiled.plan_for((64, 7, 7)).reports if r.macs)
        assert ("codes" in report.kernel) == least_memory
        sizes.append(report.table_bytes)
    assert sizes[1] < 0.85 * sizes[0]


@pytest.mark.parametrize(("values", "turn_weights"), [(16, {1, 2, 4, 8}), (256, {1})])
def test_all_ways_read_codes_if_some_do(values: int, turn_weights: set[int]) -> None:
    """With 256 values no code is left for zero, and turns of one weight need none to be full."""
    rng, seen = np.random.default_rng(0), []
    layout = codebook(rng, (48, 48, 3, 3), 0.3, values)
    layout = Codebook(layout.shape, layout.positions, layout.codes, np.arange(1.0, values + 1))

    def noted(ways: list[Way]) -> list[Way]:
        seen.extend(way.kernel for way in ways)
        return ways[:1]

    graph = layer(Conv2d((1, 1), (1, 1, 1, 1)), (1, 48, 14, 14), layout)
    with patch.object(convolution, "rank_ways", noted), program(graph, least_memory=True) as p:
        p(np.zeros((1, 48, 14, 14), np.float32))
    kernels = [kernel for kernel in seen if isinstance(kernel, CodedConvKernel)]
    assert kernels
    assert len(kernels) == len(seen)
    assert {kernel.turn_weights for kernel in kernels} <= turn_weights


def test_where_codes_cannot_be_read_numbers_are() -> None:
    rng = np.random.default_rng(0)
    for layout in (
        Dense(rng.standard_normal((8, 8, 1, 1)).astype(np.float32)),
        codebook(rng, (8, 8, 1, 1), 1.0, 9),
    ):
        graph = layer(Conv2d(), (1, 8, 7, 7), layout)
        x = rng.standard_normal((1, 8, 7, 7)).astype(np.float32)
        with program(graph, least_memory=True) as compiled:
            assert_allowed(graph, x, compiled(x), TOLERANCE)
            kernels = [r.kernel for r in compiled.plan_for((8, 7, 7)).reports]
        assert not any("codes" in kernel for kernel in kernels)
