"""Convolutions equal the interpreter, whatever the shape and the zeros."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.graph.ops import Conv2d
from tests.compile.graphs import assert_equals_interpreter, single, sparse_array

DENSITIES = (0.0, 0.01, 0.5, 1.0)


@st.composite
def convolutions(draw: st.DrawFn) -> dict:
    groups = draw(st.sampled_from([1, 1, 2, 3, 6]))
    kernel = (draw(st.integers(1, 11)), draw(st.integers(1, 11)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, 5)) for _ in range(4))
    spans = [dilation[a] * (kernel[a] - 1) + 1 - padding[a] - padding[a + 2] for a in (0, 1)]
    return {
        "size": tuple(max(1, span) + draw(st.integers(0, 20)) for span in spans),
        "channels": groups * draw(st.integers(1, 3)),
        "filters": groups * draw(st.integers(1, 5)),
        "kernel": kernel,
        "op": Conv2d(
            stride=(draw(st.integers(1, 4)), draw(st.integers(1, 4))),
            padding=padding,
            dilation=dilation,
            groups=groups,
            activation=draw(st.sampled_from(["identity", "relu", "relu6"])),
        ),
        "density": draw(st.sampled_from(DENSITIES)),
        "way": draw(st.sampled_from([(4, "host"), (4, "portable"), (8, "host"), (16, "host")])),
        "threads": draw(st.sampled_from([1, 1, 2])),
        "measure": draw(st.booleans()),
        "scaled": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**31)),
    }


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=convolutions())
def test_convolution_equals_interpreter(case: dict) -> None:
    check_convolution(case)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=convolutions())
def test_convolution_equals_interpreter_at_length(case: dict) -> None:
    check_convolution(case)


def check_convolution(case: dict) -> None:
    rng = np.random.default_rng(case["seed"])
    op, filters, channels = case["op"], case["filters"], case["channels"]
    weights = {
        "weight": sparse_array(
            rng, (filters, channels // op.groups, *case["kernel"]), case["density"]
        )
    }
    weights["bias"] = rng.standard_normal(filters).astype(np.float32)
    if case["scaled"]:
        weights["scale"] = rng.standard_normal(filters).astype(np.float32)
    graph = single(op, (1, channels, *case["size"]), **weights)
    x = rng.standard_normal((2, channels, *case["size"])).astype(np.float32)
    options = {name: case[name] for name in ("threads", "measure")}
    options["lanes"], options["isa"] = case["way"]
    assert_equals_interpreter(graph, x, **options)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("groups", [1, 2, 4, 8, 16])
def test_groups_from_one_to_depthwise(groups: int, density: float) -> None:
    rng = np.random.default_rng(groups)
    weight = sparse_array(rng, (16, 16 // groups, 3, 3), density)
    graph = single(Conv2d(padding=(1, 1, 1, 1), groups=groups), (1, 16, 14, 14), weight=weight)
    assert_equals_interpreter(
        graph, rng.standard_normal((1, 16, 14, 14)).astype(np.float32), measure=True
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 7), (33, 17), (64, 64)])
def test_sizes_that_do_not_fill_the_lanes(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    graph = single(
        Conv2d(padding=(2, 2, 2, 2)), (1, 3, *size), weight=sparse_array(rng, (5, 3, 5, 5), 0.3)
    )
    assert_equals_interpreter(graph, rng.standard_normal((1, 3, *size)).astype(np.float32))


def test_another_size_than_the_example() -> None:
    rng = np.random.default_rng(0)
    graph = single(
        Conv2d(padding=(1, 1, 1, 1)), (1, 3, 8, 8), weight=sparse_array(rng, (5, 3, 3, 3), 1.0)
    )
    assert_equals_interpreter(graph, rng.standard_normal((3, 3, 19, 23)).astype(np.float32))


def test_not_a_number_stays_where_it_is_read() -> None:
    weight = np.ones((1, 1, 1, 1), np.float32)
    graph = single(Conv2d(activation="relu6"), (1, 1, 2, 2), weight=weight)
    from tests.compile.graphs import program

    x = np.array([[[[np.nan, np.inf], [-np.inf, 1.0]]]], np.float32)
    with program(graph) as compiled:
        assert np.array_equal(compiled(x), [[[[np.nan, 6.0], [0.0, 1.0]]]], equal_nan=True)
