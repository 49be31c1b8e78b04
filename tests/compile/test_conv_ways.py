"""Each kind of convolution kernel computes what the interpreter says, fast here or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.compile.kernels.channel_conv import ChannelConvKernel
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.winograd import WinogradKernel
from gossamer.compile.kernels.winograd_planes import WinogradPlanesKernel
from gossamer.compile.lowering import channel_conv, convolution, winograd_windows
from gossamer.compile.lowering.conv_ways import Way
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import Add, Conv2d
from tests.compile.graphs import TOLERANCE, program
from tests.compile.not_finite import assert_allowed

KINDS = (ChannelConvKernel, WinogradKernel, WinogradPlanesKernel)


def only(kind: type[Kernel], nth: int) -> Callable[[list[Way]], list[Way]]:
    """Return what ranks ways of a kind first, beginning with the nth; all where there is none."""

    def ranked(ways: list[Way]) -> list[Way]:
        found = [way for way in ways if type(way.kernel) is kind]
        return [found[nth % len(found)]] if found else ways

    return ranked


def chain(case: dict) -> Graph:
    """Return two padded convolutions and a sum: kernels that write echoes, and one that adds."""
    rng, weights = np.random.default_rng(case["seed"]), {}
    width, size = case["filters"], (case["kernel"],) * 2
    shapes = {"a": (width, case["channels"], *size), "b": (width, width, *size)}
    for name, shape in shapes.items():
        weights[name] = rng.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
        weights[f"{name}-bias"] = rng.standard_normal(width).astype(np.float32)
    op = Conv2d(padding=(case["kernel"] // 2,) * 4, stride=(case["stride"],) * 2)
    nodes = (
        Node("one", op, ("x",), {"weight": "a", "bias": "a-bias"}),
        Node("two", Conv2d(padding=op.padding), ("one",), {"weight": "b", "bias": "b-bias"}),
        Node("sum", Add(activation="relu"), ("one", "two"), {}),
    )
    layouts = {name: Dense(array) for name, array in weights.items()}
    return Graph(Input("x", (1, case["channels"], *case["size"])), nodes, "sum", layouts)


@st.composite
def cases(draw: st.DrawFn) -> dict:
    return {
        "channels": draw(st.integers(1, 9)),
        "filters": draw(st.integers(1, 70)),
        "kernel": draw(st.sampled_from([1, 3, 3, 5, 7])),
        "stride": draw(st.sampled_from([1, 1, 2])),
        "size": (draw(st.integers(1, 33)), draw(st.integers(1, 33))),
        "lanes": draw(st.sampled_from([4, 8, 16])),
        "threads": draw(st.sampled_from([1, 1, 3])),
        "nth": draw(st.integers(0, 40)),
        "odd": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**31)),
    }


@contextmanager
def odd_choices(kind: type[Kernel], case: dict) -> Iterator[None]:
    """Choose a kind wherever it can serve; small layers may be cut as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "rank_ways", only(kind, case["nth"]))
        patch.setattr(winograd_windows, "FEWEST_WINDOWS", 1)
        if case["odd"]:
            patch.setattr(channel_conv, "SUMS_SHARE", 0.125)
            patch.setattr(channel_conv, "TAP_BYTES", 4096)
            patch.setattr(winograd_windows, "INPUT_BYTES", 4096)
        yield


def check(kind: type[Kernel], case: dict) -> None:
    """Compare with the interpreter; terms are of size 1, though their sum may be smaller."""
    graph = chain(case)
    x = np.random.default_rng(case["seed"]).standard_normal(graph.input.example)
    x = x.astype(np.float32)
    with odd_choices(kind, case):
        compiled = program(graph, lanes=case["lanes"], threads=case["threads"])
    with compiled:
        expected = interpret(graph, x)
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(compiled(x), expected, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_kind_equals_interpreter(kind: type[Kernel], case: dict) -> None:
    check(kind, case)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(), share=st.sampled_from([0.005, 0.05]))
def test_kind_passes_on_what_is_not_finite(kind: type[Kernel], case: dict, share: float) -> None:
    graph, rng = chain(case), np.random.default_rng(case["seed"])
    x = rng.standard_normal(graph.input.example)
    x = np.where(rng.random(x.shape) < share, rng.choice([np.nan, np.inf, -np.inf], x.shape), x)
    with odd_choices(kind, case), program(graph, lanes=case["lanes"]) as compiled:
        x = x.astype(np.float32)
        assert_allowed(graph, x, compiled(x), TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_kind_equals_interpreter_at_length(kind: type[Kernel], case: dict) -> None:
    check(kind, case)
