"""Integer layers: what is made together, exact sums, zero points at edges, what is no number."""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

import numpy as np
import pytest

from gossamer.compile.choose import MOST_TIMED
from gossamer.compile.compile import make_plan
from gossamer.compile.lowering import code_candidates, code_convolution, conv_candidates
from gossamer.compile.lowering.lower import lower
from gossamer.graph import Dense, Graph, Input, Node, interpret
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import (
    Add,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Quantise,
)
from gossamer.graph.quantise import quantise
from gossamer.jit.target import Target
from gossamer.runtime.program import Program
from tests.compile.graphs import program, target_with
from tests.compile.random_cases import DOTS

LEVELS = Quantise(0.25, 7, 0, 255)


def weight(rng: np.random.Generator, *shape: int, density: float = 1.0) -> Quantised:
    integers = rng.integers(-128, 128, shape) * (rng.random(shape) < density)
    return Quantised(integers, np.full(shape[0], 2.0**-9))


def residual_block(rng: np.random.Generator) -> Graph:
    """Return input, two convolutions, a sum, a pool, a mean and a layer behind it."""
    nodes = (
        Node("in", LEVELS, ("x",)),
        Node("a", Conv2d((1, 1), (1, 1, 1, 1), activation="relu"), ("in",), {"weight": "wa"}),
        Node("a.levels", Quantise(0.5, 3, 0, 255), ("a",)),
        Node("b", Conv2d((1, 1), (1, 1, 1, 1)), ("a.levels",), {"weight": "wb"}),
        Node("b.levels", Quantise(0.5, 0, -128, 127), ("b",)),
        Node("sum", Add("relu"), ("b.levels", "in")),
        Node("sum.levels", Quantise(0.5, 0, 0, 255), ("sum",)),
        Node("pool", MaxPool2d((3, 3), (2, 2), (1, 1, 1, 1)), ("sum.levels",)),
        Node("pool.levels", Quantise(0.5, 0, 0, 255), ("pool",)),
        Node("mean", GlobalAvgPool(), ("pool.levels",)),
        Node("flat", Flatten(), ("mean",)),
        Node("out", Linear(), ("flat",), {"weight": "wl"}),
    )
    weights = {"wa": weight(rng, 8, 8, 3, 3), "wb": weight(rng, 8, 8, 3, 3)}
    weights["wl"] = Dense(rng.standard_normal((3, 8)))
    return Graph(Input("x", (1, 8, 11, 7)), nodes, "out", weights)


def test_what_stands_before_a_rounding_is_made_with_it() -> None:
    with program(residual_block(np.random.default_rng(0))) as compiled:
        reports = compiled.plan_for((8, 11, 7)).reports
    kinds = [(r.node, "-".join(r.kernel.split("-")[:2])) for r in reports]
    moves = ("f32-halo", "f32-gather", "f32-relayout", "f32-transpose")
    kinds = [kind for kind in kinds if kind[1] not in moves]
    assert kinds == [
        ("in", "u8-encode"),
        ("a", "u8-conv"),
        ("b", "u8-conv"),
        ("pool", "u8-pool"),
        ("mean", "u8-plane"),
        ("out", "f32-linear"),
    ]


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_residual_block(lanes: int, threads: int) -> None:
    rng = np.random.default_rng(1)
    graph, x = residual_block(rng), np.rint(rng.standard_normal((2, 8, 11, 7)) * 40) / 8
    with program(graph, lanes=lanes, threads=threads) as compiled:
        np.testing.assert_allclose(compiled(x), interpret(graph, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dot", DOTS["avx512"])
@pytest.mark.parametrize("sign", [1, -1, 0])
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_sums_of_the_largest_products_are_exact(dot: str, sign: int, lanes: int) -> None:
    """Products of bytes added in 16 bits would saturate: 2 · 255 · 127 is more than 32767."""
    target = target_with(lanes)
    if dot not in (*DOTS.get(target.isa, ()), "plain") or (dot == "vnni" != target.dots[0]):
        pytest.skip("this machine has no such instructions")
    channels = 300
    integers = np.full((5, channels, 1, 1), 127 if sign > 0 else -128)
    if sign == 0:
        integers[:, ::3] = 127
    nodes = (
        Node("in", Quantise(1.0, 0, 0, 255), ("x",)),
        Node("out", Conv2d(), ("in",), {"weight": "w"}),
    )
    layout = Quantised(integers, np.ones(5))
    graph = Graph(Input("x", (1, channels, 3, 5)), nodes, "out", {"w": layout})
    x = np.full((1, channels, 3, 5), 255.0)
    x[:, ::7] = 1
    with patch.object(Target, "dots", property(lambda _: (dot,))):
        compiled = Program(graph, partial(make_plan, graph, target, 1, False), 1)
    with compiled:
        np.testing.assert_array_equal(compiled(x), interpret(graph, x))


@pytest.mark.parametrize("zero", [0, 1, 128, 255])
def test_padding_is_zero_whatever_its_code(zero: int) -> None:
    rng = np.random.default_rng(2)
    nodes = (
        Node("in", Quantise(0.5, zero, 0, 255), ("x",)),
        Node("out", Conv2d((2, 1), (2, 1, 0, 3), (1, 2)), ("in",), {"weight": "w"}),
    )
    graph = Graph(Input("x", (1, 6, 9, 10)), nodes, "out", {"w": weight(rng, 5, 6, 3, 3)})
    x = np.rint(rng.standard_normal((1, 6, 9, 10)) * 50) / 2
    with program(graph) as compiled:
        np.testing.assert_array_equal(compiled(x), interpret(graph, x))


@pytest.mark.parametrize("groups", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("activation", ["silu", "relu6", "tanh"])
def test_groups_and_activations(groups: int, activation: str) -> None:
    """An activation that is rounded after it may end a level aside, and no more."""
    rng = np.random.default_rng(groups)
    nodes = (
        Node("in", LEVELS, ("x",)),
        Node(
            "c", Conv2d(groups=groups, activation=activation), ("in",), {"weight": "w", "bias": "b"}
        ),
        Node("out", Quantise(0.125, -100, -128, 127), ("c",)),
        Node("again", Conv2d(), ("out",), {"weight": "one"}),
    )
    weights = {
        "w": weight(rng, 12, 12 // groups, 3, 2, density=0.4),
        "b": Dense(rng.standard_normal(12)),
        "one": Quantised(np.eye(12)[:, :, None, None].astype(np.int8), np.ones(12)),
    }
    graph = Graph(Input("x", (1, 12, 7, 9)), nodes, "again", weights)
    x = rng.standard_normal((1, 12, 7, 9)).astype(np.float32) * 10
    expected = interpret(graph, x)
    with program(graph) as compiled:
        levels = (compiled(x) - expected) / 0.125
    assert np.abs(levels).max() <= 1
    assert (levels != 0).mean() < 0.01


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_results_far_beyond_the_levels(scale: float) -> None:
    """What does not fit 32 bits when it is rounded still ends at the right side."""
    rng = np.random.default_rng(8)
    nodes = (
        Node("in", Quantise(scale, 7, 0, 255), ("x",)),
        Node("c", Conv2d(), ("in",), {"weight": "w"}),
        Node("out", Quantise(1.0, 7, 0, 255), ("c",)),
        Node("last", Conv2d(), ("out",), {"weight": "one"}),
    )
    one = Quantised(np.eye(4, dtype=np.int8)[:, :, None, None], np.ones(4))
    weights = {"w": weight(rng, 4, 4, 1, 1), "one": one}
    graph = Graph(Input("x", (1, 4, 5, 5)), nodes, "last", weights)
    x = np.rint(rng.standard_normal((1, 4, 5, 5)) * 9) * scale
    with program(graph) as compiled:
        np.testing.assert_array_equal(compiled(x), interpret(graph, x))


def test_blocks_of_taps() -> None:
    """Sums wait between blocks; all threads have room for theirs."""
    rng = np.random.default_rng(3)
    nodes = (
        Node("in", LEVELS, ("x",)),
        Node("c", Conv2d((1, 1), (1, 1, 1, 1)), ("in",), {"weight": "w"}),
        Node("out", LEVELS, ("c",)),
        Node("last", Conv2d(), ("out",), {"weight": "v"}),
    )
    weights = {"w": weight(rng, 22, 40, 3, 3, density=0.1), "v": weight(rng, 3, 22, 1, 1)}
    graph = Graph(Input("x", (1, 40, 18, 15)), nodes, "last", weights)
    x = np.rint(rng.standard_normal((1, 40, 18, 15)) * 99) / 4
    candidates = code_candidates.code_candidates

    def blocked(*args: object, **options: object) -> list:
        found = candidates(*args, **options)
        return [c for c in found if c.kernel.blocked] or found

    with (
        patch.object(code_candidates, "MOST_CHOICES", 100),
        patch.object(conv_candidates, "CACHE_SHARES", (2**-2, 2**-4)),
        patch.object(code_convolution, "code_candidates", blocked),
    ):
        for threads in (1, 2, 3):
            with program(graph, threads=threads) as compiled:
                kernels = [report.kernel for report in compiled.plan_for((40, 18, 15)).reports]
                assert any("blocked" in kernel for kernel in kernels)
                np.testing.assert_array_equal(compiled(x), interpret(graph, x))


def test_sums_that_32_bits_do_not_hold_are_made_in_floats() -> None:
    channels = 40_000
    nodes = (
        Node("in", Quantise(1.0, 0, 0, 255), ("x",)),
        Node("out", Conv2d(), ("in",), {"weight": "w"}),
    )
    layout = Quantised(np.full((1, channels, 1, 1), 127), np.ones(1))
    graph = Graph(Input("x", (1, channels, 1, 1)), nodes, "out", {"w": layout})
    with program(graph) as compiled:
        y = compiled(np.full((1, channels, 1, 1), 255.0))
        kernels = [report.kernel for report in compiled.plan_for((channels, 1, 1)).reports]
    assert not any(kernel.startswith("u8-conv") for kernel in kernels)
    assert y.ravel().tolist() == pytest.approx([127 * 255 * channels], rel=1e-4)


@pytest.mark.parametrize("features", [1, 7, 64, 301])
@pytest.mark.parametrize("rows", [1, 16, 37])
@pytest.mark.parametrize("threads", [1, 2])
def test_linear_layers(features: int, rows: int, threads: int) -> None:
    rng = np.random.default_rng(features)
    nodes = (
        Node("in", Quantise(0.5, 17, 0, 255), ("x",)),
        Node("a", Linear("relu"), ("in",), {"weight": "w", "bias": "b"}),
        Node("b", Linear(), ("in",), {"weight": "sparse"}),
        Node("out", Add(), ("a", "b")),
    )
    weights = {
        "w": weight(rng, rows, features),
        "b": Dense(rng.integers(-9, 9, rows) / 4),
        "sparse": weight(rng, rows, features, density=0.1),
    }
    graph = Graph(Input("x", (2, features)), nodes, "out", weights)
    x = np.rint(rng.standard_normal((2, features)) * 50) / 2
    for dot in ("plain", *DOTS.get(target_with(16).isa, ())):
        for lanes in (4, 8, 16):
            target = target_with(lanes)
            if dot == "short" or (dot == "vnni" != target.dots[0]):
                continue
            with patch.object(Target, "dots", property(lambda _, dot=dot: (dot,))):
                compiled = Program(
                    graph, partial(make_plan, graph, target, threads, False), threads
                )
            with compiled:
                np.testing.assert_array_equal(compiled(x), interpret(graph, x))


def test_what_is_no_number_has_the_lowest_level() -> None:
    rng = np.random.default_rng(4)
    nodes = (
        Node("in", Quantise(1.0, 10, 0, 255), ("x",)),
        Node("out", Conv2d(), ("in",), {"weight": "w"}),
    )
    one = Quantised(np.ones((1, 1, 1, 1), np.int8), np.ones(1))
    graph = Graph(Input("x", (1, 1, 1, 4)), nodes, "out", {"w": one})
    x = np.array([np.nan, np.inf, -np.inf, rng.integers(5)], np.float32).reshape(1, 1, 1, 4)
    with program(graph) as compiled:
        assert compiled(x).ravel().tolist() == [-10, 245, -10, x[0, 0, 0, 3]]


def test_a_network_after_training_is_within_a_level(conv_net: Graph) -> None:
    rng = np.random.default_rng(5)
    images = rng.standard_normal((4, *conv_net.input.example[1:])).astype(np.float32)
    graph = quantise(conv_net, images)
    steps = [node.op.scale for node in graph.nodes if isinstance(node.op, Quantise)]
    expected = interpret(graph, images)
    for lanes in (4, 8, 16):
        with program(graph, lanes=lanes) as compiled:
            assert np.abs(compiled(images) - expected).max() <= 2 * max(steps)


@pytest.fixture
def conv_net() -> Graph:
    rng = np.random.default_rng(6)
    nodes = (
        Node("a", Conv2d((2, 2), (1, 1, 1, 1), activation="relu"), ("x",), {"weight": "a"}),
        Node("b", Conv2d((1, 1), (1, 1, 1, 1)), ("a",), {"weight": "b"}),
        Node("sum", Add("relu"), ("a", "b")),
        Node("c", Conv2d(), ("sum",), {"weight": "c", "bias": "bias"}),
    )
    weights = {
        "a": Dense(rng.standard_normal((10, 3, 3, 3)) / 5),
        "b": Dense(rng.standard_normal((10, 10, 3, 3)) / 9),
        "c": Dense(rng.standard_normal((4, 10, 1, 1)) / 3),
        "bias": Dense(rng.standard_normal(4)),
    }
    return Graph(Input("x", (1, 3, 17, 14), frozenset({0})), nodes, "c", weights)


def test_dense_layers_are_timed_with_blocks_of_taps_and_without() -> None:
    rng = np.random.default_rng(3)
    nodes = (
        Node("in", LEVELS, ("x",)),
        Node("c", Conv2d(), ("in",), {"weight": "w"}),
        Node("out", LEVELS, ("c",)),
        Node("last", Conv2d(), ("out",), {"weight": "v"}),
    )
    weights = {"w": weight(rng, 64, 1024, 1, 1), "v": weight(rng, 3, 64, 1, 1)}
    graph = Graph(Input("x", (1, 1024, 14, 14)), nodes, "last", weights)
    small = Target("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma", 8, "avx2")
    lowered = lower(graph, (1024, 14, 14), small, 1)
    choices = max(lowered.steps, key=lambda step: step.macs).choices[:MOST_TIMED]
    assert {choice.kernel.blocked for choice in choices} == {False, True}
