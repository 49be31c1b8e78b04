"""The model of the least time, on made-up machines; and what `explain` prints of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.compile.compile import compile
from gossamer.errors import ProgramError
from gossamer.graph import Graph, Input, Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import Conv2d, GlobalAvgPool, Quantise
from gossamer.jit.limits import Limits, machine_limits
from gossamer.jit.target import host_target
from gossamer.runtime.bounds import plan_bound_us, step_bounds_us
from gossamer.runtime.explain import Measured, format_plan
from gossamer.runtime.in_place import step_times_us
from gossamer.runtime.plan import Plan, StepReport
from tests.compile.graphs import single, sparse_array

LIMITS = Limits(100.0, {1000: 80.0, 10_000: 40.0, 100_000: 10.0})
"""MACs a nanosecond: of bytes, 320, 160 and 40."""


def report(**known: int) -> StepReport:
    return StepReport("n", "f32-k", None, {}, 0, known.pop("effective_macs", 0), "", **known)


def plan(*reports: StepReport, arena_bytes: int = 0, threads: int = 1) -> Plan:
    nothing, arena = np.zeros(0), np.zeros(arena_bytes, np.uint8)
    return Plan(
        nothing, nothing, nothing, (1,), arena, (), (), tuple(reports), host_target(), threads
    )


@pytest.mark.parametrize(
    ("known", "arena_bytes", "expected_us"),
    [
        ({"effective_macs": 1_000_000}, 0, 10.0),
        ({"effective_macs": 1_000_000, "reads": 1_000_000}, 0, 12.5),
        ({"effective_macs": 1_000_000, "reads": 250_000}, 0, 10.0),
        ({"numbers": 200}, 0, 0.0),  # fits the nearest cache, and costs nothing beside the reads
        ({"numbers": 400}, 0, 1600 / 320e3),
        ({"numbers": 4000}, 0, 16_000 / 160e3),
        ({"numbers": 40_000}, 0, 160_000 / 40e3),
        # Small tables of a large program come from far.
        ({"table_bytes": 500}, 100_000, 500 / 40e3),
        # Pixels from the second cache and tables from memory: the second goes through the first.
        ({"numbers": 4000, "table_bytes": 8000}, 100_000, max(24e3 / 160e3, 8e3 / 40e3)),
        ({"numbers": 4000, "table_bytes": 800}, 100_000, 16.8e3 / 160e3),
    ],
)
def test_the_slowest_of_arithmetic_reads_and_traffic(
    known: dict[str, int], arena_bytes: int, expected_us: float
) -> None:
    (bound_us,) = step_bounds_us(plan(report(**known), arena_bytes=arena_bytes), LIMITS)
    assert bound_us == pytest.approx(expected_us)


def test_a_plan_takes_its_steps_one_after_the_other_on_all_threads() -> None:
    steps = report(effective_macs=1_000_000), report(reads=80_000)
    assert plan_bound_us(plan(*steps), LIMITS) == pytest.approx(11.0)
    assert plan_bound_us(plan(*steps, threads=4), LIMITS) == pytest.approx(11.0 / 4)


def test_arithmetic_that_was_not_measured_has_no_bound() -> None:
    steps = report(effective_macs=1000), replace(report(effective_macs=1000), kernel="i8-conv")
    assert step_bounds_us(plan(*steps), LIMITS) == [pytest.approx(0.01), None]
    assert plan_bound_us(plan(*steps), LIMITS) is None


def test_bytes_are_multiplied_at_a_speed_of_their_own() -> None:
    limits = replace(LIMITS, codes=400.0)
    steps = [
        replace(report(effective_macs=1_000_000), kernel="u8-conv"),
        replace(report(numbers=4000), kernel="u8-pool"),
        report(effective_macs=1_000_000),
    ]
    assert step_bounds_us(plan(*steps), limits) == pytest.approx([2.5, 16e3 / 160e3, 10.0])
    assert step_bounds_us(plan(*steps), LIMITS)[:2] == [None, None]


def test_shares_of_the_peak_are_of_what_a_kernel_multiplies() -> None:
    steps = [
        StepReport("codes", "u8-conv", None, {}, 4_000_000, 1_000_000, "", reads=400_000),
        StepReport("floats", "f32-conv", None, {}, 1_000_000, 1_000_000, ""),
    ]
    rows = {}
    for codes in (400.0, None):
        found = Measured((10.0, 20.0), 30.0, replace(LIMITS, codes=codes))
        rows[codes] = [line.split() for line in format_plan(plan(*steps), found).splitlines()[-2:]]
    assert rows[400.0][0][4:6] == ["25%", "50%"]
    assert rows[400.0][1] == rows[None][1]
    assert rows[400.0][1][4:6] == ["50%", "50%"]
    assert rows[None][0][4:] == ["4,000,000", "25%"]


@pytest.fixture
def graph() -> Graph:
    weight = sparse_array(np.random.default_rng(0), (8, 4, 3, 3), 0.5)
    op = Conv2d(padding=(1, 1, 1, 1), activation="relu")
    return single(op, (1, 4, 9, 9), weight=weight)


def test_what_a_convolution_needs_is_counted(graph: Graph) -> None:
    (conv,) = (r for r in compile(graph).plan_for((4, 9, 9)).reports if r.macs)
    nonzeros = int(np.count_nonzero(graph.weights["weight"].to_dense()))
    assert conv.effective_macs == nonzeros * 81
    assert conv.numbers == (4 + 8) * 81
    assert 0 < conv.reads <= conv.effective_macs
    assert conv.table_bytes >= 6 * nonzeros


def test_what_layers_of_codes_need_is_counted() -> None:
    rng = np.random.default_rng(0)
    weight = Quantised(rng.integers(1, 128, (8, 6, 3, 3)), np.ones(8))
    nodes = (
        Node("in", Quantise(1.0, 0, 0, 255), ("x",)),
        Node("conv", Conv2d(padding=(1, 1, 1, 1)), ("in",), {"weight": "w"}),
        Node("levels", Quantise(1.0, 0, 0, 255), ("conv",)),
        Node("mean", GlobalAvgPool(), ("levels",)),
    )
    graph = Graph(Input("x", (1, 6, 9, 9)), nodes, "mean", {"w": weight})
    reports = compile(graph, measure=False).plan_for((6, 9, 9)).reports
    found = {r.kernel.split("-")[1]: r for r in reports if r.kernel.startswith("u8-")}
    assert found["encode"].numbers == (6 + 2) * 81
    assert found["conv"].numbers == (2 + 2) * 81
    assert found["conv"].effective_macs == 8 * 6 * 9 * 81
    # Of a dense layer, the eight rows read each quad once, or in two groups of four.
    assert found["conv"].reads in (2 * 9 * 81, 2 * 2 * 9 * 81)
    assert found["plane"].numbers == 2 * 81 + 8
    text = compile(graph).explain()
    assert "unknown" not in text
    assert "of bytes" in text


@pytest.mark.parametrize("threads", [1, 2])
def test_each_step_is_timed_in_its_place(graph: Graph, threads: int) -> None:
    with compile(graph, threads, measure=False) as program:
        x = np.random.default_rng(0).standard_normal((1, 4, 9, 9)).astype(np.float32)
        y, found = program(x), program.plan_for((4, 9, 9))
        text = program.explain()
        assert len(text.splitlines()) == 4 + len(found.reports)
        assert "of the bound" in text
        assert "GMAC/s" in text
        assert f"{sum(r.macs for r in found.reports):,}" in text
        assert np.array_equal(program(x), y)


def test_steps_run_in_order_and_calls_are_taken_off(graph: Graph) -> None:
    found, ran = compile(graph, measure=False).plan_for((4, 9, 9)), []
    count = len(found.reports)
    times_us, whole_us = step_times_us(found, lambda *job: ran.append(job), rounds=2)
    assert len(times_us) == count
    assert min(times_us) >= 0
    assert whole_us >= 0
    rounds = [job for job in ran if job[1]]
    first = found.job[0]
    assert rounds == 3 * [*((first + 16 * i, 1) for i in range(count)), (first, count)]


def test_without_measuring_nothing_runs(graph: Graph) -> None:
    with compile(graph) as program:
        program.close()
        assert "f32-conv" in program.explain(measure=False)
        with pytest.raises(ProgramError, match="closed"):
            program.explain()


def test_limits_are_measured_once() -> None:
    assert machine_limits(host_target()) is machine_limits(host_target())
