"""Many callers over several programs: right answers, no waiting for ever, no growth of memory."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gossamer.compile.compile import compile
from gossamer.graph import interpret
from gossamer.graph.ops import Conv2d, Linear, MaxPool2d
from gossamer.runtime.program import Program
from tests.compile.graphs import single, sparse_array

CALLERS = 8
PATIENCE_S = 60
"""What a caller may take beyond its time before it counts as stuck."""
GROWTH_BYTES = 100_000
RESIDENT_GROWTH_BYTES = 8 * 2**20
"""The system hands out and takes back memory in large pieces."""


@pytest.fixture
def programs() -> list[Program]:
    rng = np.random.default_rng(0)
    sparse, dense = (sparse_array(rng, (16, 8, 3, 3), density) for density in (0.2, 1.0))
    graphs = [
        single(Conv2d(padding=(1, 1, 1, 1), activation="relu"), (1, 8, 14, 14), weight=sparse),
        single(Conv2d(stride=(2, 2)), (1, 8, 17, 9), weight=dense),
        single(MaxPool2d((3, 3), (2, 2), (1, 1, 1, 1)), (1, 5, 12, 12)),
        single(Linear(), (1, 300), weight=sparse_array(rng, (40, 300), 0.5)),
    ]
    return [
        compile(g, threads, measure=False) for g, threads in zip(graphs, (2, 1, 1, 2), strict=True)
    ]


def test_eight_callers_of_four_programs(programs: list[Program]) -> None:
    check_callers(programs, 1.5)


@pytest.mark.slow
def test_eight_callers_of_four_programs_for_a_minute(programs: list[Program]) -> None:
    check_callers(programs, 60)


def check_callers(programs: list[Program], seconds: float) -> None:
    """Call for a quarter of the time, then for the rest, and compare what is held after each."""
    rng = np.random.default_rng(1)
    questions = []
    for program in programs:
        for images in (1, 2, 3):
            shape = (images, *program.graph.input.example[1:])
            x = rng.standard_normal(shape).astype(np.float32)
            y = program(x)
            assert np.allclose(y, interpret(program.graph, x), atol=1e-4)
            questions.append((program, x, y))
    tracemalloc.start()
    try:
        call_from_all(questions, seconds / 4)
        held, resident = held_bytes(), resident_bytes()
        calls = call_from_all(questions, 3 * seconds / 4)
        assert min(calls) > 0
        assert held_bytes() - held < GROWTH_BYTES
        assert resident_bytes() - resident < RESIDENT_GROWTH_BYTES
    finally:
        tracemalloc.stop()
        for program in programs:
            program.close()


def call_from_all(
    questions: list[tuple[Program, np.ndarray, np.ndarray]], seconds: float
) -> list[int]:
    """Ask at random from all threads; return how many right answers each one got."""
    end, calls = time.monotonic() + seconds, [0] * CALLERS
    wrong: list[object] = []

    def call(index: int) -> None:
        rng = np.random.default_rng(index)
        while time.monotonic() < end and not wrong:
            program, x, y = questions[int(rng.integers(len(questions)))]
            try:
                if not np.array_equal(program(x), y):
                    wrong.append(program.graph)
            except Exception as error:
                wrong.append(error)
            calls[index] += 1

    callers = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(seconds + PATIENCE_S)
    assert not any(caller.is_alive() for caller in callers)
    assert not wrong
    return calls


def held_bytes() -> int:
    """Return what Python and numpy hold."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def resident_bytes() -> int:
    """Return what the process holds; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return 4096 * int(status.read_text().split()[1]) if status.exists() else 0
