import pytest

from gossamer.bench.clock import Timing
from gossamer.bench.machine import detect_machine
from gossamer.bench.record import Record
from gossamer.bench.suite.result import Result


@pytest.fixture
def result():
    """Return a function that makes a result from times in milliseconds."""

    def make(
        row="net, 90 %",
        threads=1,
        isa="host",
        rounds=2,
        missing=None,
        bound_ms=None,
        limits=None,
        **times,
    ):
        names = {name.replace("_", "-"): time_ms for name, time_ms in times.items()}
        timings = tuple(Timing(name, (t, t), 1) for name, t in names.items())
        differences = dict.fromkeys(names, 1e-7)
        record = Record(
            row, (1, 1, 8, 8), threads, timings, differences, detect_machine(), {"v": "1"}
        )
        kept = record if timings else None
        return Result(row, threads, isa, rounds, kept, missing or {}, bound_ms, 0.25, limits)

    return make
