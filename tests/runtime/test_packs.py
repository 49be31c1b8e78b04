"""Packs of images in a program: which sizes are planned, and when; closing, forks and callers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import pytest

from gossamer.compile import packs
from gossamer.compile.compile import make_plan, plan_example
from gossamer.errors import ProgramError
from gossamer.graph import Dense, Graph, Input, Node, interpret
from gossamer.graph.ops import Conv2d, Flatten, GlobalAvgPool, Linear
from gossamer.jit.target import host_target
from gossamer.runtime.packs import PackedTail, Packs
from gossamer.runtime.plan import Plan
from gossamer.runtime.program import Program
from tests.compile.graphs import packed
from tests.compile.not_finite import assert_allowed
from tests.runtime.test_program import forks, in_child

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def graph() -> Graph:
    rng = np.random.default_rng(0)
    shapes = {"filters": (8, 4, 3, 3), "hidden": (32, 8), "classes": (5, 32)}
    weights = {name: Dense(rng.standard_normal(shape)) for name, shape in shapes.items()}
    nodes = (
        Node("conv", Conv2d(activation="relu"), ("x",), {"weight": "filters"}),
        Node("mean", GlobalAvgPool(), ("conv",)),
        Node("flat", Flatten(), ("mean",)),
        Node("fc", Linear("relu"), ("flat",), {"weight": "hidden"}),
        Node("y", Linear(), ("fc",), {"weight": "classes"}),
    )
    return Graph(Input("x", (1, 4, 9, 9)), nodes, "y", weights)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4, 9, 9)).astype(np.float32)


def made_up(border: object = True) -> Plan:
    return cast(Plan, SimpleNamespace(border=border))


def packed_tail(fewest: int = 3) -> tuple[PackedTail, list[int]]:
    """Return packs of 4, which pay from 3 on, or 10; and a list that tells which are planned."""
    planned: list[int] = []

    def planner(size: int) -> Plan:
        planned.append(size)
        return made_up()

    def pays_from(one: Plan, pack: Plan) -> int:
        return 3 if planned[-1] == 4 else fewest

    return PackedTail(Packs("fc", (4, 10), planner, pays_from)), planned


@pytest.mark.parametrize(
    ("images", "cut", "planned"),
    [
        (1, [], []),
        (2, [], [4]),
        (3, [3], [4]),
        (4, [4], [4]),
        (5, [5], [10]),
        (10, [10], [10]),
        (12, [10], [10, 4]),
        (13, [10, 3], [10, 4]),
        (27, [10, 10, 7], [10]),
    ],
)
def test_batches_are_cut_into_few_packs(images: int, cut: list[int], planned: list[int]) -> None:
    tail, found = packed_tail()
    assert [count for count, _ in tail.cut(made_up(), images)] == cut
    assert found == planned


@pytest.mark.parametrize(
    ("images", "cut", "planned"),
    [
        (7, [4, 3], [10, 4]),
        (8, [8], [10]),
        (15, [10, 4], [10, 4]),
    ],
)
def test_a_smaller_pack_is_taken_where_a_large_one_does_not_pay(
    images: int, cut: list[int], planned: list[int]
) -> None:
    tail, found = packed_tail(fewest=8)
    assert [count for count, _ in tail.cut(made_up(), images)] == cut
    assert found == planned


def test_what_pays_is_told() -> None:
    tail, _ = packed_tail(fewest=11)
    assert str(tail) == "batches: one image after another; from fc on, up to 10 at once"
    list(tail.cut(made_up(), 10))
    assert str(tail).endswith("from fc on, up to 10 at once (packs of 4 pay from 3 images on)")


def test_without_a_border_there_are_no_packs() -> None:
    tail, planned = packed_tail()
    assert list(tail.cut(made_up(border=None), 20)) == []
    assert planned == []


def test_when_it_pays_is_asked_once() -> None:
    asked = []
    tail, _ = packed_tail()
    tail._packs = replace(tail._packs, fewest=lambda *plans: asked.append(plans) or 3)
    for images in (2, 3, 4, 3):
        list(tail.cut(made_up(), images))
    assert len(asked) == 1


def test_no_size_is_planned_twice() -> None:
    tail, planned = packed_tail()
    for images in [*range(1, 70), *range(1, 70)]:
        list(tail.cut(made_up(), images))
    assert planned == [4, 10]


def test_rows_lie_an_odd_number_of_cache_lines_apart() -> None:
    tail, _ = packed_tail()
    for features in (1, 16, 17, 1000, 1024):
        rows = tail.rows(features, features)
        assert rows.shape == (features, features)
        assert rows.strides[0] % 128 == 64


def test_single_images_plan_no_pack(graph: Graph) -> None:
    with packed(graph) as program:
        program(pictures(1))
        assert program._tail is not None
        assert not program._tail._plans


@pytest.mark.parametrize("threads", [1, 2])
def test_only_what_is_not_finite_is_computed_again(graph: Graph, threads: int) -> None:
    asked: list[bool] = []
    target = host_target()

    def planner(image_shape: tuple[int, ...], *, keep_infinities: bool) -> Plan:
        asked.append(keep_infinities)
        made = make_plan(
            graph, target, threads, False, image_shape, keep_infinities=keep_infinities
        )
        return replace(made, keeps_infinities=keep_infinities)

    with packed(graph, threads=threads) as other:
        assert other._tail is not None
        same = other._tail._packs
    x = pictures(21)
    with Program(graph, planner, threads, same) as program:
        healthy = program(x)
        assert asked == [False]
        x[7, 2, 3, 3] = np.inf
        y = program(x)
        assert asked == [False, True]
    assert_allowed(graph, x, y, 3e-5)
    assert np.array_equal(np.delete(y, 7, 0), np.delete(healthy, 7, 0))


def test_closing_ends_packs_and_their_threads(graph: Graph) -> None:
    before = threading.active_count()
    program = packed(graph, threads=3)
    program(pictures(20))
    program.close()
    assert threading.active_count() == before
    with pytest.raises(ProgramError, match="closed"):
        program(pictures(20))


def test_a_tail_may_have_threads_of_its_own(graph: Graph) -> None:
    """How many run a plan is decided for each plan."""
    target, before = host_target(), threading.active_count()
    for_two = packs_of_any(graph, partial(plan_example, target, 2, False))
    x = pictures(20)
    with Program(graph, partial(make_plan, graph, target, 1, False), 2, for_two) as program:
        expected = interpret(graph, x)
        np.testing.assert_allclose(program(x), expected, rtol=0, atol=1e-5 * abs(expected).max())
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def packs_of_any(graph: Graph, planner: Callable[[Graph], Plan]) -> Packs:
    with patch.object(packs, "LEAST_MACS", 0):
        found = packs.packs_of(graph, planner, 8, measure=False)
    assert found is not None
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_several_callers_take_turns(graph: Graph, threads: int) -> None:
    inputs = [pictures(count, count) for count in (1, 5, 9, 17, 33)]
    results: dict[int, Any] = {}
    with packed(graph, threads=threads) as program:
        expected = [program(x) for x in inputs]

        def call(index: int) -> None:
            for _ in range(10):
                results[index] = program(inputs[index])

        callers = [threading.Thread(target=call, args=(i,)) for i in range(len(inputs))]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert all(np.array_equal(results[i], expected[i]) for i in range(len(inputs)))


@forks
def test_packs_of_one_thread_work_in_a_forked_child(graph: Graph) -> None:
    x = pictures(20)
    with packed(graph) as program:
        expected = program(x)
        assert in_child(lambda: np.array_equal(program(x), expected))


@forks
def test_a_forked_child_of_several_threads_is_told_to_compile_again(graph: Graph) -> None:
    with packed(graph, threads=2) as program:
        program(pictures(20))

        def child() -> bool:
            with pytest.raises(ProgramError, match="fork"):
                program(pictures(20))
            return True

        assert in_child(child)
