from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gossamer.compile.compile import compile, make_plan
from gossamer.errors import DataError, ProgramError, ShapeError
from gossamer.graph import Dense, Graph, Input, Node, Quantised, interpret
from gossamer.graph.ops import Conv2d, Quantise
from gossamer.jit.target import host_target
from gossamer.runtime.plan import Plan
from gossamer.runtime.program import Program
from tests.compile.graphs import single, sparse_array
from tests.compile.not_finite import assert_allowed

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def graph() -> Graph:
    rng = np.random.default_rng(0)
    weight = sparse_array(rng, (8, 4, 3, 3), 0.5)
    return single(Conv2d(padding=(1, 1, 1, 1), activation="relu"), (1, 4, 9, 9), weight=weight)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4, 9, 9)).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_each_image_of_a_batch_by_itself(graph: Graph, threads: int) -> None:
    x = pictures(5)
    with compile(graph, threads, measure=False) as program:
        together = program(x)
        assert np.array_equal(together, np.concatenate([program(x[i : i + 1]) for i in range(5)]))
    assert np.allclose(together, interpret(graph, x), atol=1e-5)


def test_inputs_are_converted(graph: Graph) -> None:
    x = pictures(2)
    with compile(graph) as program:
        assert np.array_equal(program(x.astype(np.float64)), program(x))
        assert np.array_equal(program(np.asfortranarray(x)), program(x))


@pytest.mark.parametrize("shape", [(1, 3, 9, 9), (4, 9, 9), (1, 4, 9), (1, 4, 0, 9)])
def test_wrong_shapes_say_what_is_expected(graph: Graph, shape: tuple[int, ...]) -> None:
    with compile(graph) as program, pytest.raises(ShapeError, match="does not take this input"):
        program(np.zeros(shape, np.float32))


def test_numbers_beyond_float32_are_infinities(graph: Graph) -> None:
    with compile(graph) as program:
        y = program(np.full((1, 4, 9, 9), 1e300))
        np.testing.assert_array_equal(y, program(np.full((1, 4, 9, 9), np.inf)))


@pytest.mark.parametrize("x", ["net", object(), [[1.0], [1.0, 2.0]], np.ones(1, complex)])
def test_what_is_not_an_array_of_real_numbers_is_refused(graph: Graph, x: object) -> None:
    with compile(graph) as program, pytest.raises(DataError, match="not an array"):
        program(x)


def test_an_empty_batch_is_refused(graph: Graph) -> None:
    with compile(graph) as program, pytest.raises(ShapeError):
        program(np.zeros((0, 4, 9, 9), np.float32))


def test_several_callers_take_turns(graph: Graph) -> None:
    inputs = [pictures(3, seed) for seed in range(6)]
    results: dict[int, np.ndarray] = {}
    with compile(graph, 2, measure=False) as program:
        expected = [program(x) for x in inputs]

        def call(index: int) -> None:
            for _ in range(20):
                results[index] = program(inputs[index])

        callers = [threading.Thread(target=call, args=(i,)) for i in range(len(inputs))]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert all(np.array_equal(results[i], expected[i]) for i in range(len(inputs)))


def test_workers_wake_after_they_slept(graph: Graph) -> None:
    x = pictures(1)
    with compile(graph, 2, measure=False) as program:
        expected = program(x)
        for _ in range(3):
            threading.Event().wait(0.02)
            assert np.array_equal(program(x), expected)


def test_closing_ends_the_threads(graph: Graph) -> None:
    before = threading.active_count()
    program = compile(graph, 3, measure=False)
    assert threading.active_count() == before + 2
    program.close()
    program.close()
    assert threading.active_count() == before
    with pytest.raises(ProgramError, match="closed"):
        program(pictures(1))


@forks
def test_a_forked_child_is_told_to_compile_again(graph: Graph) -> None:
    with compile(graph, 2, measure=False) as program:

        def child() -> bool:
            with pytest.raises(ProgramError, match="fork"):
                program(pictures(1))
            return True

        assert in_child(child)


@forks
def test_a_program_of_one_thread_works_in_a_forked_child(graph: Graph) -> None:
    """Also if another thread of the parent was in the middle of a call."""
    x = pictures(3)
    with compile(graph) as program:
        expected, stop = program(x), threading.Event()

        def keep_calling() -> None:
            while not stop.is_set():
                program(x)

        caller = threading.Thread(target=keep_calling)
        caller.start()
        try:
            right = [in_child(lambda: np.array_equal(program(x), expected)) for _ in range(10)]
        finally:
            stop.set()
            caller.join()
        assert all(right)


def in_child(call: Callable[[], bool]) -> bool:
    """Return what a forked child answers within ten seconds, False if it does not."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            os._exit(0 if call() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_all_threads_take_tiny_numbers_as_zero(graph: Graph, threads: int) -> None:
    x = np.full((1, 4, 9, 9), 1e-39, np.float32)
    with compile(graph, threads, measure=False) as program:
        assert not program(x).any()
    assert interpret(graph, x).any()


def test_plans_of_sizes_long_unused_are_forgotten(graph: Graph) -> None:
    from gossamer.runtime.program import PLANS_KEPT

    with compile(graph, measure=False) as program:
        for size in range(4, 4 + PLANS_KEPT + 3):
            program(np.zeros((1, 4, size, size), np.float32))
        assert len(program._plans) == PLANS_KEPT
        x = pictures(1)
        assert np.allclose(program(x), interpret(graph, x), atol=1e-5)


def test_infinities_stay_where_a_kernel_would_make_nan_of_them() -> None:
    """The answer that is not finite comes from a second plan, made only then."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((8, 8, 3, 3)).astype(np.float32)
    graph = single(Conv2d(padding=(1, 1, 1, 1), activation="relu"), (1, 8, 24, 24), weight=weight)
    asked = []

    def planner(image_shape: tuple[int, ...], *, keep_infinities: bool) -> Plan:
        asked.append(keep_infinities)
        plan = make_plan(
            graph, host_target(), 1, False, image_shape, keep_infinities=keep_infinities
        )
        return replace(plan, keeps_infinities=keep_infinities)

    x = rng.standard_normal((2, 8, 24, 24)).astype(np.float32)
    with Program(graph, planner, 1) as program:
        program(x)
        program(1e30 * x)  # large, but finite
        assert asked == [False]
        x[1, 3, 5, 7] = np.inf
        assert_allowed(graph, x, program(x), 1e-5)
        assert asked == [False, True]


def test_infinities_before_levels_reach_the_highest_and_the_lowest() -> None:
    """Levels hide a NaN, so that the picture says whether one may have come up before them."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((16, 16, 3, 3)).astype(np.float32)
    nodes = (
        Node("conv", Conv2d(padding=(1, 1, 1, 1)), ("x",), {"weight": "w"}),
        Node("levels", Quantise(0.25, 7, 0, 255), ("conv",)),
        Node("codes", Conv2d(), ("levels",), {"weight": "one"}),
    )
    one = Quantised(np.eye(16, dtype=np.int8).reshape(16, 16, 1, 1), np.ones(16))
    weights = {"w": Dense(weight), "one": one}
    graph = Graph(Input("x", (1, 16, 56, 56)), nodes, "codes", weights)

    def planner(image_shape: tuple[int, ...], *, keep_infinities: bool) -> Plan:
        plan = make_plan(
            graph, host_target(), 1, False, image_shape, keep_infinities=keep_infinities
        )
        if not keep_infinities:
            assert any("winograd" in report.kernel for report in plan.reports)
        return plan

    x = rng.standard_normal((1, 16, 56, 56)).astype(np.float32)
    x[0, 3, 5, 7] = np.inf
    with Program(graph, planner, 1) as program:
        assert abs(program(x) - interpret(graph, x)).max() <= 0.25  # a rounding, at a tie
