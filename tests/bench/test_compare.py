import numpy as np
import pytest

from gossamer.bench.clock import Protocol
from gossamer.bench.compare import Engines, reason_of
from gossamer.bench.engines import Subject
from gossamer.bench.engines.engine import Engine
from gossamer.errors import ShapeError, VerificationError

X = np.arange(4, dtype=np.float32).reshape(1, 4)
QUICK = Protocol(rounds=2, sample_ms=0.01, warm_up_ms=0)


def engine(factor=1.0, tolerance=0.0, broken=""):
    """Return the class of an engine that multiplies by a factor."""

    class Fake(Engine):
        name = "fake"

        def __init__(self, subject, *, threads=1):
            if broken == "opening":
                raise ShapeError("cannot be opened")
            self.threads, self.closed = threads, False

        def __call__(self, x):
            if broken == "running":
                raise RuntimeError("a rival's own error")
            return x * factor

        def bind(self, x):
            if broken == "binding":
                raise RuntimeError("a rival's own error")
            calls = iter(range(9))
            return lambda: self(x) if broken != "timing" or next(calls) < 3 else 1 / 0

        def versions(self):
            if broken == "versions":
                raise RuntimeError("a package without a version")
            return {"fake": str(factor)}

    Fake.tolerance = tolerance
    return Fake


def compare(subject, makers, tolerance=1e-4, **options):
    with Engines(subject, **options) as engines:
        engines.open(makers)
        return engines.compare(X, QUICK, tolerance=tolerance)


def test_engines_that_agree_are_timed_in_order(subject):
    found = compare(subject, {"b": engine(), "a": engine(1 + 1e-6)})
    assert list(found.timings) == ["b", "a"]
    assert found.differences == {"b": 0.0, "a": pytest.approx(1e-6, rel=0.2)}
    assert found.versions == {"fake": str(1 + 1e-6)}


@pytest.mark.parametrize("broken", ["opening", "running", "binding", "timing", "versions"])
def test_a_failure_ends_the_comparison_unless_it_is_taken(subject, broken):
    makers = {"a": engine(), "bad": engine(broken=broken), "c": engine()}
    with pytest.raises((ShapeError, RuntimeError, ZeroDivisionError)):
        compare(subject, makers)
    failures = {}
    found = compare(subject, makers, failed=failures.__setitem__)
    assert list(found.timings) == list(found.differences) == ["a", "c"]
    assert list(failures) == ["bad"]


def test_a_reason_is_one_line_and_not_endless():
    assert reason_of(ShapeError("too\nlarge", got=3)) == "too large (got 3)"
    assert reason_of(MemoryError()) == "MemoryError"
    assert len(reason_of(RuntimeError("word " * 999))) == 300


def test_if_the_first_fails_the_next_is_what_others_are_compared_with(subject):
    failures = {}
    makers = {"bad": engine(broken="running"), "b": engine(2.0), "c": engine(2.0)}
    found = compare(subject, makers, failed=failures.__setitem__)
    assert found.differences == {"b": 0.0, "c": 0.0}


def test_an_engine_may_differ_by_what_its_arithmetic_costs(subject):
    makers = {"a": engine(), "rough": engine(1.1, tolerance=0.2)}
    assert compare(subject, makers).differences["rough"] == pytest.approx(0.1)
    makers["rougher"] = engine(1.3, tolerance=0.2)
    with pytest.raises(VerificationError, match=r"rougher and a differ.*at most 0\.2"):
        compare(subject, makers)


def test_what_runs_for_the_first_time_is_announced(subject):
    begun = []
    compare(subject, {"a": engine(), "b": engine()}, begun=begun.append)
    assert begun == ["a", "b", "a", "b", ""]


def test_engines_are_closed_even_after_an_error():
    closed = []

    class Closing(engine()):
        def close(self):
            closed.append(self.name)

    with pytest.raises(ShapeError):
        compare(Subject(None), {"a": Closing, "bad": engine(broken="opening")})
    assert closed == ["fake"]
