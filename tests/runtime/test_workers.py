from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest

from gossamer.compile.compile import compile
from gossamer.errors import CompileError
from gossamer.graph import Graph, interpret
from gossamer.graph.ops import Conv2d
from gossamer.runtime.workers import Workers
from tests.compile.graphs import single, sparse_array


@pytest.fixture
def graph() -> Graph:
    weight = sparse_array(np.random.default_rng(0), (8, 4, 3, 3), 0.5)
    return single(Conv2d(padding=(1, 1, 1, 1)), (1, 4, 9, 9), weight=weight)


def test_an_interrupted_call_does_not_disturb_the_next(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the workers were told of a job, before the caller took part in it."""
    batches = np.random.default_rng(1).standard_normal((20, 3, 4, 9, 9)).astype(np.float32)

    def interrupted(event: threading.Event) -> None:
        monkeypatch.undo()
        event.set()
        time.sleep(0.01)  # the worker wakes and waits at the first barrier
        raise KeyboardInterrupt

    with compile(graph, 2, measure=False) as program:
        monkeypatch.setattr(threading.Event, "set", interrupted)
        with pytest.raises(KeyboardInterrupt):
            program(batches[0])
        for x in batches:
            assert np.allclose(program(x), interpret(graph, x), atol=1e-5)


def test_a_job_of_no_steps_is_seen_by_all_before_it_ends() -> None:
    """Who had not seen it would take the next job for this one, and then run it twice."""
    workers = Workers(3)
    barriers_passed = workers._shared[64:72].view(np.int64)
    for job in range(1, 50):
        workers.run(0, 0)
        assert barriers_passed[0] == job
    workers.close()


def test_a_forgotten_program_ends_its_threads(graph: Graph) -> None:
    before = threading.active_count()
    program = compile(graph, 3, measure=False)
    assert threading.active_count() == before + 2
    del program
    gc.collect()
    assert threading.active_count() == before


def test_a_graph_that_cannot_be_compiled_leaves_no_threads() -> None:
    before = threading.active_count()
    graph = single(Conv2d(), (1, 1, 2**15, 2**15), weight=np.ones((1, 1, 1, 1), np.float32))
    with pytest.raises(CompileError, match="too large"):
        compile(graph, 3, measure=False)
    assert threading.active_count() == before
