"""What runs multiplied out is what was measured to be faster so, and it is remembered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gossamer.compile import multiply_out
from gossamer.compile.compile import compile, make_plan
from gossamer.compile.multiply_out import part_time_us
from gossamer.graph import Dense, Graph, Node, Quantised, interpret
from gossamer.graph.ops import Add, Conv2d, Linear, Quantise
from gossamer.jit.target import host_target
from gossamer.runtime.plan import StepReport
from gossamer.runtime.program import Program
from tests.compile.factor_graphs import chain_graph, pointwise, tucker, window
from tests.compile.graphs import assert_equals_interpreter, single
from tests.compile.not_finite import assert_allowed

Timed = Callable[[Sequence[np.ndarray], object, float], list[np.ndarray]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path))
    return tmp_path


def products_are(faster: bool) -> Timed:
    """As if each step took 4 µs where chains are as they are, and less or more in other trials."""

    def timed(trials: Sequence[np.ndarray], run: object, measure_s: float) -> list[np.ndarray]:
        other = 0.1 if faster else 1000.0
        return [np.full(len(t), 4.0 if n == 0 else other) for n, t in enumerate(trials)]

    return timed


def pictures(graph: Graph, batch: int = 2) -> np.ndarray:
    shape = (batch, *graph.input.example[1:])
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def layers_run(program: Program) -> list[str]:
    plan = program.plan_for(program.graph.input.example[1:])
    return [report.node for report in plan.reports if report.macs]


def reasons(program: Program) -> dict[str, str]:
    plan = program.plan_for(program.graph.input.example[1:])
    return {r.node: r.reason for r in plan.reports if "multiplied out" in r.reason}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("is_faster", [True, False])
def test_the_faster_way_runs_and_computes_the_same(
    is_faster: bool, threads: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiply_out, "each_step_us", products_are(is_faster))
    graph = tucker()
    x = pictures(graph)
    with compile(graph, threads) as program:
        assert layers_run(program) == (["c", "d"] if is_faster else ["a", "b", "c", "d"])
        expected = interpret(graph, x)
        assert np.allclose(program(x), expected, atol=1e-5 * abs(expected).max())
        assert program.graph == graph
        text = program.explain(measure=False)
        (reason,) = reasons(program).values()
    assert reason in text
    found = re.match(r"\d layers( not)? multiplied out, ([\d,]+) µs in place of ([\d,]+); ", reason)
    assert found is not None
    assert (found[1] is None) == is_faster
    assert float(found[2].replace(",", "")) < float(found[3].replace(",", ""))


def residual() -> Graph:
    """Return a sum with a chain, whose last layer adds in place."""
    layers = [pointwise(8, 8, activation="relu"), pointwise(6, 8), window(8, 6, (3, 3), same=True)]
    graph = chain_graph((1, 8, 9, 7), layers)
    total = Node("sum", Add("relu"), ("c", "a"))
    return replace(graph, nodes=(*graph.nodes, total), output="sum")


def rounded() -> Graph:
    """Return a chain of real numbers between levels, and integers behind it."""
    graph = chain_graph((1, 8, 9, 7), [pointwise(8, 8), window(8, 8, (3, 3), stride=(2, 2))])
    whole = {name: Dense(np.rint(4 * w.to_dense())) for name, w in graph.weights.items()}
    one = Quantised(np.eye(8, dtype=np.int8).reshape(8, 8, 1, 1), np.ones(8, np.float32))
    first = Node("levels", Quantise(0.25, 9, 0, 255), ("x",))
    a, b = graph.nodes
    last = (
        Node("low", Quantise(4.0, 100, 0, 255), ("b",)),
        Node("d", Conv2d(), ("low",), {"weight": "one"}),
    )
    nodes = (first, replace(a, inputs=("levels",)), b, *last)
    return replace(graph, nodes=nodes, output="d", weights={**whole, "one": one})


CHAINS = {
    "tucker": tucker(),
    "separable": chain_graph(
        (1, 6, 13, 11),
        [
            window(7, 6, (3, 1), stride=(2, 1), padding=(1, 0, 1, 0)),
            window(8, 7, (1, 3), stride=(1, 2), padding=(0, 1, 0, 1), bias=True, activation="relu"),
        ],
    ),
    "stride before a window": chain_graph(
        (1, 6, 13, 11), [pointwise(5, 6, stride=(2, 2)), window(8, 5, (3, 3), same=True)]
    ),
    "polyadic": chain_graph(
        (1, 6, 9, 9),
        [
            pointwise(8, 6),
            window(8, 1, (3, 1), groups=8, padding=(1, 0, 1, 0)),
            window(8, 1, (1, 3), groups=8, padding=(0, 1, 0, 1)),
            pointwise(7, 8, bias=True),
        ],
    ),
    "linear": chain_graph(
        (1, 40),
        [
            (Linear(), {"weight": (24, 40), "bias": (24,)}),
            (Linear("relu"), {"weight": (32, 24), "scale": (32,)}),
        ],
    ),
    "residual": residual(),
    "rounded": rounded(),
}


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("is_faster", [True, False])
@pytest.mark.parametrize("name", CHAINS)
def test_all_kinds_of_chains_compute_the_same(
    name: str, is_faster: bool, measure: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiply_out, "each_step_us", products_are(is_faster))
    graph = CHAINS[name]
    with compile(graph, measure=measure) as program:
        if measure:
            assert (len(layers_run(program)) < len(weighted(graph))) == is_faster
        assert_equals_interpreter(graph, pictures(graph), measure=measure)


def weighted(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if "weight" in node.weights]


def test_real_times_decide(folder: Path) -> None:
    graph = tucker()
    assert_equals_interpreter(graph, pictures(graph), measure=True)
    program = compile(graph)
    (reason,) = reasons(program).values()
    assert "µs in place of" in reason
    assert reason.split("; ")[1].startswith(("only", "fastest", "dense"))


def test_each_part_of_a_chain_is_chosen_by_its_own_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_two_are_fast(
        trials: Sequence[np.ndarray], run: object, measure_s: float
    ) -> list[np.ndarray]:
        """Of the ways as it is, a·b, a·b·c and b·c, the last."""
        assert len(trials) == 4
        return [np.full(len(t), time) for t, time in zip(trials, (5, 9, 20, 6), strict=True)]

    monkeypatch.setattr(multiply_out, "each_step_us", last_two_are_fast)
    program = compile(tucker())
    assert layers_run(program) == ["a", "c", "d"]
    # c alone takes 5 and 9, in two of the trials.
    assert reasons(program)["c"].startswith("2 layers multiplied out, 6 µs in place of 12;")


def test_the_next_program_knows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = tucker()
    first = compile(graph)
    monkeypatch.setattr(multiply_out, "each_step_us", None)
    made = []
    real = multiply_out.Ways.graph_of
    monkeypatch.setattr(
        multiply_out.Ways,
        "graph_of",
        lambda self, chosen: (made.append(chosen), real(self, chosen))[1],
    )
    second = compile(graph)
    assert len(made) == 1
    assert layers_run(first) == layers_run(second)
    assert reasons(first).keys() == reasons(second).keys()
    x = pictures(graph)
    assert np.array_equal(first(x), second(x))


def test_a_new_chain_is_measured_beside_those_that_are_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiply_out, "each_step_us", products_are(faster=True))
    pair = [pointwise(12, 16), pointwise(16, 12, activation="relu")]
    compile(chain_graph((1, 16, 9, 7), pair))
    graph = chain_graph((1, 16, 9, 7), [*pair, pointwise(14, 16), window(16, 14, (3, 3))])
    tables: list[int] = []

    def timed(trials: Sequence[np.ndarray], run: object, measure_s: float) -> list[np.ndarray]:
        tables.extend(map(len, trials))
        return products_are(faster=True)(trials, run, measure_s)

    monkeypatch.setattr(multiply_out, "each_step_us", timed)
    program = compile(graph)
    assert layers_run(program) == ["b", "d"]
    assert len(tables) == 2
    assert max(tables) - min(tables) == 1


def test_unmeasured_programs_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiply_out, "each_step_us", None)
    for ranks, expected in ((9, ["b"]), (7, ["a", "b"])):
        graph = chain_graph((1, 16, 9, 7), [pointwise(ranks, 16), pointwise(16, ranks)])
        program = compile(graph, measure=False)
        assert layers_run(program) == expected
        assert "MACs in place of" in reasons(program)["b"]
        x = pictures(graph)
        assert np.allclose(program(x), interpret(graph, x), atol=1e-5)


def test_networks_without_chains_are_planned_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiply_out, "each_step_us", None)
    monkeypatch.setattr(multiply_out.Ways, "graph_of", None)
    weight = np.random.default_rng(0).standard_normal((8, 8, 3, 3)).astype(np.float32)
    graph = single(Conv2d(), (1, 8, 9, 9), weight=weight)
    assert reasons(compile(graph)) == {}


def test_plans_that_keep_infinities_leave_layers_as_they_are() -> None:
    graph = chain_graph((1, 16, 9, 7), [pointwise(12, 16), pointwise(16, 12, activation="relu")])
    plans = [
        make_plan(graph, host_target(), 1, False, (16, 9, 7), keep_infinities=keep)
        for keep in (False, True)
    ]
    macs = [sum(report.macs > 0 for report in plan.reports) for plan in plans]
    assert macs == [1, 2]
    assert [plan.keeps_nan for plan in plans] == [False, True]
    assert [plan.keeps_infinities for plan in plans] == [False, True]


@pytest.mark.parametrize("entry", [np.inf, -np.inf, np.nan])
def test_infinities_become_what_the_factors_make_of_them(entry: float) -> None:
    """Their difference is NaN between the factors, and a number behind the activation of one."""
    graph = chain_graph((1, 16, 9, 7), [pointwise(12, 16), pointwise(16, 12, activation="relu")])
    x = pictures(graph)
    x[0, 3, 4, 5] = entry
    with compile(graph, measure=False) as program:
        assert layers_run(program) == ["b"]
        got = program(x)
    assert np.isnan(got[0, :, 4, 5]).any()
    assert_allowed(graph, x, got, 1e-5)


def test_the_time_of_a_part_has_what_brings_its_input() -> None:
    """Steps: x is brought, a, a is brought, a border for b, b, b is brought, c."""
    steps = [("x", 0), ("a", 5), ("a", 0), ("b", 0), ("b", 5), ("b", 0), ("c", 5)]
    reports = [StepReport(node, "k", None, {}, macs, macs, "") for node, macs in steps]
    times_us = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    assert part_time_us(("a",), "x", reports, times_us) == 3
    assert part_time_us(("b",), "a", reports, times_us) == 28
    assert part_time_us(("a", "b"), "x", reports, times_us) == 31
    assert part_time_us(("c",), "b", reports, times_us) == 96
