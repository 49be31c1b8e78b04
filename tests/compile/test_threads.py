"""How many threads run a plan, by what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.compile import threads
from gossamer.compile.compile import compile
from gossamer.compile.threads import ALONE_US, SHARE_US, SHARED_MACS, share_out
from gossamer.graph import Graph, interpret
from gossamer.graph.ops import Conv2d
from gossamer.jit.target import host_target
from gossamer.runtime.plan import Plan, StepReport
from tests.compile.graphs import single, sparse_array

STEPS = 50


def plans(monkeypatch: pytest.MonkeyPatch, times_us: dict[int, float], macs: int = 1000):
    """Return a maker of plans that take these times, and the threads of those it made."""
    made, nothing = [], np.zeros(0)
    report = StepReport("n", "k", None, {}, macs, macs, "")
    plan = Plan(nothing, nothing, nothing, (1,), nothing, (), (), (report,) * STEPS, host_target())

    def plan_of(count: int) -> Plan:
        made.append(count)
        return replace(plan, threads=count)

    def measured(*plans: Plan) -> dict[int, float]:
        return {plan.threads: times_us[plan.threads] for plan in plans}

    monkeypatch.setattr(threads, "_times_us", measured)
    return plan_of, made


@pytest.mark.parametrize(
    ("times_us", "expected"),
    [
        ({1: ALONE_US / 2}, 1),
        ({1: 300.0, 2: 200.0}, 2),
        ({1: 300.0, 2: 400.0}, 1),
        ({1: 300.0, 4: 400.0, 8: 500.0, 2: 200.0}, 2),
        ({1: 300.0, 4: 150.0, 8: 100.0}, 8),
        ({1: 300.0, 8: 500.0, 4: 600.0}, 1),
        ({1: 300.0, 3: 200.0}, 3),
    ],
)
def test_the_fastest_number_runs(
    times_us: dict[int, float], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_of, _ = plans(monkeypatch, times_us)
    plan = share_out(plan_of, max(2, *times_us))
    assert plan.threads == expected
    assert all(f"{time:.0f} µs" in plan.threads_reason for time in times_us.values())


def test_much_work_is_shared_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of, made = plans(monkeypatch, {}, SHARED_MACS)
    plan = share_out(plan_of, 4)
    assert (plan.threads, plan.threads_reason) == (4, "enough work for all")
    assert made == [4]


def test_long_steps_are_shared_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of, _ = plans(monkeypatch, {1: SHARE_US * 2 * STEPS})
    plan = share_out(plan_of, 2)
    assert (plan.threads, plan.threads_reason) == (2, "1000 µs are enough to share")


def test_one_thread_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of, made = plans(monkeypatch, {})
    assert share_out(plan_of, 1).threads == 1
    assert made == [1]


def test_a_plan_that_is_disturbed_once_is_still_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads take half the time of one, but for one round in which they take ten times."""
    plan_of, _ = plans(monkeypatch, {})
    monkeypatch.undo()
    runs: dict[int, int] = {1: 0, 2: 0}

    def time_s(plan: Plan, _: object) -> float:
        runs[plan.threads] += 1
        is_disturbed = plan.threads == 2 and runs[2] <= threads.RUNS
        return 0.5e-3 / plan.threads * (10 if is_disturbed else 1)

    monkeypatch.setattr(threads, "_time_s", time_s)
    assert share_out(plan_of, 2).threads == 2


@pytest.fixture
def graph() -> Graph:
    weight = sparse_array(np.random.default_rng(0), (8, 4, 3, 3), 0.5)
    return single(Conv2d(padding=(1, 1, 1, 1)), (1, 4, 9, 9), weight=weight)


@pytest.mark.parametrize("alone_us", [0.0, 1e9])
def test_programs_say_how_many_run_and_compute_the_same(
    graph: Graph, alone_us: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ALONE_US", alone_us)
    x = np.random.default_rng(1).standard_normal((2, 4, 9, 9)).astype(np.float32)
    with compile(graph, 2) as program:
        assert np.allclose(program(x), interpret(graph, x), atol=1e-5)
        first = program.explain().splitlines()[0]
    assert first.split()[0] in (("1",) if alone_us else ("1", "2"))
    assert ("2: " in first) == (not alone_us)
