"""The model of the least time, on made-up machines; and what `explain` prints of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.compile.compile import compile
from gossamer.errors import ProgramError
from gossamer.graph import Graph
from gossamer.graph.ops import Conv2d
from gossamer.jit.limits import Limits, machine_limits
from gossamer.jit.target import host_target
from gossamer.runtime.bounds import plan_bound_us, step_bounds_us
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
