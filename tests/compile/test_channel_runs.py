"""Runs of channels: found wherever they are, and kernels that walk them equal the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.compile import compile as compiling
from gossamer.compile.bind import Binding
from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering import conv_candidates, convolution
from gossamer.compile.lowering.channel_runs import find_runs
from gossamer.compile.lowering.conv_candidates import Windows, candidates
from gossamer.compile.lowering.conv_streams import ConvRows
from gossamer.compile.lowering.conv_ways import Way, tap_order
from gossamer.compile.lowering.filters import Filters
from gossamer.graph import Graph, Input, Node, Sparse
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import ACTIVATIONS, Add, ChannelPermute, Concat, Conv2d
from tests.compile.graphs import TOLERANCE, program
from tests.compile.guard_pages import GuardedBinding, GuardedFromBelow
from tests.compile.not_finite import assert_allowed


def in_runs(
    rng: np.random.Generator, shape: tuple[int, ...], length: int, density: float, holes: float = 0
) -> np.ndarray:
    """Return a (K, C, R, S) weight, nonzero in runs of channels, with a share of zeros inside."""
    k, channels, *window = shape
    kept = np.repeat(rng.random((k, channels // length, *window)) < density, length, axis=1)
    return (rng.integers(1, 9, shape) * kept * (rng.random(shape) >= holes)).astype(np.float32)


def filters(weight: np.ndarray, offsets: np.ndarray) -> tuple[Filters, np.ndarray]:
    order = tap_order(offsets)
    return Filters.of(Sparse.from_dense(weight), order), order


def planes(shape: tuple[int, ...], *, rows: int = 1 << 20, groups: int = 1) -> np.ndarray:
    """Return (G, C · R · S) offsets: channels 100 bytes apart, columns 32."""
    _, channels, r, s = shape
    window = rows * np.arange(r)[:, None] + 32 * np.arange(s)
    channel = 100 * np.arange(groups * channels).reshape(groups, channels, 1)
    return (channel + window.ravel()).reshape(groups, -1)


@pytest.mark.parametrize("window", [(1, 1), (3, 3), (2, 1)])
@pytest.mark.parametrize("length", [2, 4])
@pytest.mark.parametrize("groups", [1, 3])
def test_runs_are_the_weight(window: tuple[int, int], length: int, groups: int) -> None:
    shape = (48, 16, *window)
    weight = in_runs(np.random.default_rng(length), shape, length, 0.3, holes=0.01)
    offsets = planes(shape, groups=groups)
    held, order = filters(weight, offsets)
    runs, step_bytes = find_runs(held.entries, offsets, order, window[0] * window[1])
    assert runs is not None
    assert (runs.values.shape[1], step_bytes) == (length, 100)
    assert (np.diff(runs.rows * weight[0].size + runs.taps) > 0).all()
    found, places = np.zeros_like(weight).reshape(48, -1), offsets[0].tolist()
    for row, tap, values in zip(runs.rows, runs.taps, runs.values, strict=True):
        for nth, value in enumerate(values):
            found[row, places.index(offsets[0, order[tap]] + nth * step_bytes)] += value
    np.testing.assert_array_equal(found.reshape(shape), weight)


SHAPE = (16, 16, 3, 3)


@pytest.mark.parametrize(
    ("weight", "offsets"),
    [
        (in_runs(np.random.default_rng(0), SHAPE, 1, 0.3), planes(SHAPE)),  # no runs
        (in_runs(np.random.default_rng(0), SHAPE, 4, 0.3, holes=0.1), planes(SHAPE)),
        (in_runs(np.random.default_rng(0), SHAPE, 4, 0.3)[:, 1:], planes((16, 15, 3, 3))),
        (in_runs(np.random.default_rng(0), (8, 1, 1, 1), 1, 1.0), planes((8, 1, 1, 1))),
        (np.zeros(SHAPE, np.float32), planes(SHAPE)),
    ],
    ids=["single", "holes", "odd", "one channel", "empty"],
)
def test_weights_without_runs(weight: np.ndarray, offsets: np.ndarray) -> None:
    held, order = filters(weight, offsets)
    assert find_runs(held.entries, offsets, order, len(order) // weight.shape[1]) == (None, 0)


@pytest.mark.parametrize("moved", [5, 15])
def test_channels_that_lie_unequally_far_apart(moved: int) -> None:
    weight = in_runs(np.random.default_rng(0), SHAPE, 4, 0.3)
    offsets = planes(SHAPE)
    offsets[:, 9 * moved :] += 100
    held, order = filters(weight, offsets)
    assert find_runs(held.entries, offsets, order, 9) == (None, 0)


@pytest.mark.parametrize("length", [2, 4, 8])
def test_kernels_for_runs_are_likelier_than_others(length: int) -> None:
    shape = (64, 64, 3, 3)
    weight, offsets = in_runs(np.random.default_rng(0), shape, length, 0.1), planes(shape)
    held, order = filters(weight, offsets)
    runs = find_runs(held.entries, offsets, order, 9)
    rows = ConvRows(held, offsets[:, order], np.arange(64), np.zeros(64), *runs)
    windows = Windows((7, 7), (3, 3), (1, 1), (1, 1), 64, 8, 16, (2**15, 2**18))
    kernels = [c.kernel for c in candidates(rows, windows, "relu")]
    assert kernels[0].step_bytes == 100
    assert kernels[0].unroll == min(length, 4)
    assert any(k.step_bytes == 0 and not k.shared for k in kernels)


def chain(case: dict) -> Graph:
    """Return convolutions that echo, add, read what was concatenated and what was permuted."""
    rng = np.random.default_rng(case["seed"])
    channels, groups, size = case["channels"], case["groups"], (case["kernel"],) * 2
    reach = case["dilation"] * (case["kernel"] - 1)
    padding = (reach // 2, reach // 2, reach - reach // 2, reach - reach // 2)
    same = Conv2d(padding=padding, dilation=(case["dilation"],) * 2, groups=groups)
    act = case["activation"]
    ops: dict = {
        "a": (Conv2d(padding=padding, dilation=same.dilation, activation=act), "x"),
        "both": (Concat(), "a", "x"),
        "b": (Conv2d((case["stride"],) * 2, padding, same.dilation, groups), "both"),
        "c": (replace(same, activation=act), "b"),
        "d": (same, "c"),
        "sum": (Add(act), "b", "d"),
        "permuted": (ChannelPermute(tuple(rng.permutation(channels).tolist())), "sum"),
        "y": (same, "permuted" if case["permuted"] else "sum"),
    }
    nodes, weights = [], {}
    for name, (op, *inputs) in ops.items():
        roles = {}
        if isinstance(op, Conv2d):
            width = (2 if name == "b" else 1) * channels // op.groups
            weight = in_runs(rng, (channels, width, *size), 4, case["density"], case["holes"])
            signs = rng.choice(np.array([-1, 1], np.float32), weight.shape)
            weights[name] = weight * signs / np.float32(4 * np.sqrt(weight[0].size))
            weights[f"{name}-bias"] = rng.standard_normal(channels).astype(np.float32)
            roles = {"weight": name, "bias": f"{name}-bias"}
        nodes.append(Node(name, op, tuple(inputs), roles))
    used = [n for n in nodes if n.name != "permuted" or case["permuted"]]
    layouts = {name: Sparse.from_dense(array) for name, array in weights.items()}
    return Graph(Input("x", (1, channels, *case["size"])), tuple(used), "y", layouts)


@st.composite
def cases(draw: st.DrawFn) -> dict:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    return {
        "groups": groups,
        "channels": 4 * groups * draw(st.integers(1, 3)),
        "kernel": draw(st.sampled_from([1, 1, 2, 3, 5])),
        "stride": draw(st.sampled_from([1, 1, 2, 3])),
        "dilation": draw(st.integers(1, 2)),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "density": draw(st.sampled_from([0.1, 0.3, 0.6])),
        "holes": draw(st.sampled_from([0.0, 0.01])),
        "permuted": draw(st.booleans()),
        "size": (draw(st.integers(1, 33)), draw(st.integers(1, 33))),
        "lanes": draw(st.sampled_from([4, 8, 16])),
        "threads": draw(st.sampled_from([1, 1, 3])),
        "binding": draw(st.sampled_from([Binding, GuardedBinding, GuardedFromBelow])),
        "odd": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**31)),
    }


@contextmanager
def kernels_for_runs(case: dict, met: list[ConvKernel]) -> Iterator[None]:
    """Choose a kernel for runs wherever one can serve; small layers may be cut as large ones are.

    Args:
        case: of `cases`.
        met: the kernels that are chosen are added to it.
    """
    rng = np.random.default_rng(case["seed"])

    def ranked(ways: list[Way]) -> list[Way]:
        found = [way for way in ways if getattr(way.kernel, "step_bytes", 0)]
        blocked = [way for way in found if way.kernel.blocked]
        found = [(blocked or found)[int(rng.integers(len(blocked or found)))]] if found else ways
        met.extend(way.kernel for way in found[:1] if isinstance(way.kernel, ConvKernel))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(convolution, "rank_ways", ranked)
        patched.setattr(compiling, "Binding", case["binding"])
        if case["odd"]:
            conv_candidates._sparse_kernels.cache_clear()
            patched.setattr(conv_candidates, "CACHE_SHARES", (2**-7, 2**-9))
            patched.setattr(conv_candidates, "LARGEST_NARROW", 20)
        yield
    conv_candidates._sparse_kernels.cache_clear()


def check(case: dict, share: float = 0.0) -> list[ConvKernel]:
    """Compare with the interpreter, a share of the inputs not finite; return the kernels."""
    graph, rng, met = chain(case), np.random.default_rng(case["seed"]), []
    x = rng.standard_normal(graph.input.example)
    kinds = rng.choice([np.nan, np.inf, -np.inf], x.shape)
    x = np.where(rng.random(x.shape) < share, kinds, x).astype(np.float32)
    with kernels_for_runs(case, met):
        compiled = program(graph, lanes=case["lanes"], threads=case["threads"])
        with compiled:
            got = compiled(x)
    if share:
        assert_allowed(graph, x, got, TOLERANCE)
    else:
        expected = interpret(graph, x)
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * scale)
    return met


SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@settings(max_examples=30, **SLOW)
@given(case=cases())
def test_kernels_for_runs_equal_the_interpreter(case: dict) -> None:
    check(case)


@settings(max_examples=20, **SLOW)
@given(case=cases(), share=st.sampled_from([0.005, 0.05]))
def test_kernels_for_runs_pass_on_what_is_not_finite(case: dict, share: float) -> None:
    check(case, share)


@pytest.mark.slow
@settings(max_examples=600, **SLOW)
@given(case=cases(), share=st.sampled_from([0.0, 0.005, 0.05]))
def test_kernels_for_runs_at_length(case: dict, share: float) -> None:
    check(case, share)


def test_every_form_of_kernel_for_runs_is_met() -> None:
    case = {
        "groups": 1, "channels": 16, "kernel": 3, "stride": 2, "dilation": 1, "activation": "relu",
        "density": 0.3, "holes": 0.0, "permuted": False, "size": (28, 28), "lanes": 8,
        "threads": 1, "binding": Binding,
    }  # fmt: skip
    tried = [{**case, "seed": seed, "odd": seed % 2 > 0} for seed in range(12)]
    met = [kernel for one in tried for kernel in check(one)]
    assert all(kernel.step_bytes for kernel in met)
    for form in ("adds", "blocked", "wide", "echoes", "near"):
        assert any(getattr(kernel, form) for kernel in met), form
    assert {kernel.rows for kernel in met} == {1, 2, 4}
    assert {kernel.stride_w for kernel in met} == {1, 2}


def test_channels_that_were_permuted_have_no_runs() -> None:
    rng = np.random.default_rng(0)
    weight = in_runs(rng, (8, 16, 1, 1), 4, 0.5)
    nodes = (
        Node("p", ChannelPermute(tuple(rng.permutation(16).tolist())), ("x",), {}),
        Node("y", Conv2d(), ("p",), {"weight": "w"}),
    )
    graph = Graph(Input("x", (1, 16, 9, 9)), nodes, "y", {"w": Sparse.from_dense(weight)})
    with program(graph, lanes=8) as compiled:
        labels = [report.kernel for report in compiled.plan_for((16, 9, 9)).reports]
    assert any("conv-sparse" in label for label in labels)
    assert not any("-run" in label for label in labels)
