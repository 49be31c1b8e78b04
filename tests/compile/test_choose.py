from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gossamer.compile import bind, choose
from gossamer.compile.bind import kernel_object
from gossamer.compile.compile import compile
from gossamer.graph import Graph, interpret
from gossamer.graph.ops import Conv2d
from gossamer.runtime.workers import Workers
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

    def slower_and_slower(steps: list[int], workers: Workers) -> list[float]:
        timed.append(len(steps))
        return [float(place + 1) for place in range(len(steps))]

    monkeypatch.setattr(choose, "_times_us", slower_and_slower)
    (report,) = [r for r in compile(graph).plan_for((8, 16, 16)).reports if r.time_us]
    assert len(timed) == 1
    assert 2 <= timed[0] <= choose.MOST_TIMED
    assert report.time_us == 1.0
    assert sorted(report.others.values()) == [float(n) for n in range(2, timed[0] + 1)]
    assert report.reason.startswith(("fastest measured", "dense"))


def test_times_are_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {7: 3e-6, 8: 2e-3, 9: 0.0}
    monkeypatch.setattr(choose, "_time_s", lambda step, times, _: clock[step] * times)
    assert choose._times_us([7, 8, 9]) == pytest.approx([3.0, 2000.0, 0.0])


def test_the_next_program_measures_nothing_and_runs_the_same(
    graph: Graph, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(1).standard_normal((1, 8, 16, 16)).astype(np.float32)
    first = compile(graph)
    built = []
    monkeypatch.setattr(choose, "_times_us", None)
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
