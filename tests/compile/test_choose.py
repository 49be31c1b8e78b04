from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from gossamer.compile import bind, choose
from gossamer.compile.bind import Bound, kernel_object
from gossamer.compile.compile import compile
from gossamer.compile.timings import Times
from gossamer.graph import Dense, Graph, Input, Node, interpret
from gossamer.graph.ops import Conv2d
from gossamer.runtime.in_place import Run
from tests.compile.graphs import single, sparse_array


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def graph() -> Graph:
    weight = sparse_array(np.random.default_rng(0), (16, 8, 3, 3), 0.4)
    return single(Conv2d(padding=(1, 1, 1, 1)), (1, 8, 16, 16), weight=weight)


def test_a_few_of_the_likeliest_are_timed_and_the_fastest_runs(
    graph: Graph, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[int] = []

    def faster_and_faster(
        chosen: Sequence[Bound], tried: Mapping[int, Sequence[Bound]], run: Run
    ) -> dict[int, Times]:
        ((index, bounds),) = tried.items()
        timed.append(len(bounds))
        return {index: {b.choice.label: float(9 - n) for n, b in enumerate(bounds)}}

    monkeypatch.setattr(choose, "trial_times", faster_and_faster)
    (report,) = [r for r in compile(graph).plan_for((8, 16, 16)).reports if r.time_us]
    assert len(timed) == 1
    assert 2 <= timed[0] <= choose.MOST_TIMED
    assert report.time_us == 10.0 - timed[0]
    assert sorted(report.others.values()) == [10.0 - n for n in range(timed[0] - 1, 0, -1)]
    assert report.reason.startswith(("fastest measured", "dense"))


def test_equal_steps_are_timed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = sparse_array(np.random.default_rng(0), (8, 8, 3, 3), 0.4)
    nodes = tuple(
        Node(f"n{i}", Conv2d(padding=(1, 1, 1, 1)), (f"n{i - 1}" if i else "x",), {"weight": "w"})
        for i in range(4)
    )
    graph = Graph(Input("x", (1, 8, 16, 16)), nodes, "n3", {"w": Dense(weight)})
    timed: list[int] = []
    real = choose.trial_times

    def counted(
        chosen: Sequence[Bound], tried: Mapping[int, Sequence[Bound]], run: Run
    ) -> dict[int, Times]:
        timed.append(len(tried))
        return real(chosen, tried, run)

    monkeypatch.setattr(choose, "trial_times", counted)
    x = np.random.default_rng(1).standard_normal((1, 8, 16, 16)).astype(np.float32)
    program = compile(graph)
    convs = [r for r in program.plan_for((8, 16, 16)).reports if r.others]
    assert len(convs) == 4
    assert sum(timed) < 4
    expected = interpret(graph, x)
    assert np.allclose(program(x), expected, atol=1e-5 * abs(expected).max())


def test_the_next_program_measures_nothing_and_runs_the_same(
    graph: Graph, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(1).standard_normal((1, 8, 16, 16)).astype(np.float32)
    first = compile(graph)
    built = []
    monkeypatch.setattr(choose, "trial_times", None)
    real = bind.Binding.bind
    monkeypatch.setattr(
        bind.Binding, "bind", lambda self, choice: (built.append(choice), real(self, choice))[1]
    )
    second = compile(graph)
    reports = [program.plan_for((8, 16, 16)).reports for program in (first, second)]
    assert [r.kernel for r in reports[0]] == [r.kernel for r in reports[1]]
    assert [r.time_us for r in reports[0]] == [r.time_us for r in reports[1]]
    assert len(built) == len(reports[1])
    assert np.array_equal(first(x), second(x))


def test_unmeasured_programs_neither_read_nor_keep_times(graph: Graph, folder: Path) -> None:
    compile(graph)
    report = compile(graph, measure=False).plan_for((8, 16, 16)).reports[-2]
    assert report.time_us is None
    assert report.reason == "first candidate, not measured"


def test_kernels_are_recalled_by_name_or_by_text(
    graph: Graph, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.ones((1, 8, 16, 16), np.float32)
    for digest in ("of sources", ""):
        monkeypatch.setattr(bind, "generator_digest", lambda digest=digest: digest)
        for _ in range(2):
            kernel_object.cache_clear()
            program = compile(graph)
            assert np.allclose(program(x), interpret(graph, x), atol=1e-4)
