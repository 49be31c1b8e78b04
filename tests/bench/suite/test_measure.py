import pytest

from gossamer.bench.engines import ENGINES, Engine
from gossamer.bench.suite.measure import Conditions, measure, quantise_randomly
from gossamer.bench.suite.network import build_graph
from gossamer.bench.suite.row import Row
from gossamer.compile.compile import compile
from gossamer.errors import CompileError, MissingDependencyError

ROW = Row("digits-plain", 0.9)


class Rival(Engine):
    """Gives the network's output by the interpreter, or what it is told."""

    name = "rival"
    trouble: Exception | None = None
    factor = 1.0

    def __init__(self, subject, *, threads=1):
        if self.trouble:
            raise self.trouble
        self.graph = subject.graph

    def __call__(self, x):
        from gossamer.graph import interpret

        return interpret(self.graph, x) * self.factor

    def versions(self):
        return {"rival": "1"}


@pytest.fixture
def engines(monkeypatch):
    """Put made-up rivals in the place of the registry's."""
    absent = type("Absent", (Rival,), {"trouble": MissingDependencyError("it is not installed")})
    wrong = type("Wrong", (Rival,), {"factor": 1.5})
    made = {"gossamer": ENGINES["gossamer"], "good": Rival, "absent": absent, "wrong": wrong}
    monkeypatch.setattr("gossamer.bench.suite.measure.ENGINES", made)
    return ("good", "absent", "wrong")


def test_rivals_that_fail_lose_their_cell_only(engines):
    begun = []
    found = measure(ROW, Conditions(1, engines, rounds=2), begun=begun.append)
    assert (found.row, found.threads, found.rounds) == (ROW.name, 1, 2)
    assert [timing.name for timing in found.record.timings] == ["gossamer", "good"]
    assert found.record.differences["good"] < 1e-5
    assert list(found.missing) == ["absent", "wrong"]
    assert found.missing["absent"] == "MissingDependencyError: it is not installed"
    assert "differ" in found.missing["wrong"]
    assert found.bound_ms > 0
    assert found.limits.arithmetic > 0
    assert begun[0] == "gossamer"
    assert begun[-1] == ""


def test_without_our_program_rivals_are_still_measured(engines, monkeypatch):
    def broken(*_args, **_options):
        raise CompileError("no kernel for this")

    monkeypatch.setattr("gossamer.bench.suite.measure.compile", broken)
    found = measure(ROW, Conditions(1, engines[:1], rounds=2))
    assert [timing.name for timing in found.record.timings] == ["good"]
    assert "no kernel" in found.missing["gossamer"]
    assert (found.bound_ms, found.limits) == (None, None)


def test_excluded_engines_are_not_tried(engines):
    found = measure(ROW, Conditions(1, engines, 1, excluded={"good": "crashed"}))
    assert [timing.name for timing in found.record.timings] == ["gossamer"]
    assert found.missing["good"] == "crashed"


def test_who_cannot_be_held_to_an_instruction_set_says_so():
    found = measure(Row("digits-plain"), Conditions(1, ("onnxruntime",), 1, isa="avx2"))
    assert list(found.missing) == ["onnxruntime"]
    assert [timing.name for timing in found.record.timings] == ["gossamer"]


def test_int8_rows_run_our_integers_against_the_real_network(engines):
    found = measure(Row("digits-plain", precision="int8"), Conditions(1, engines[:1], 1))
    assert [timing.name for timing in found.record.timings] == ["gossamer", "good"]
    assert 1e-4 < found.record.differences["good"] < 0.5
    graph = quantise_randomly(build_graph(Row("digits-plain")))
    with compile(graph) as program:
        assert any(r.kernel.startswith("u8-conv") for r in program.plan_for((1, 8, 8)).reports)


def test_weights_that_are_not_there_lose_the_row(engines, monkeypatch):
    monkeypatch.delenv("GOSSAMER_DATA", raising=False)
    found = measure(Row("resnet-20-cifar", 0.9, weights="x.th"), Conditions(1, engines, 1))
    assert found.record is None
    assert "trained weights" in found.missing["gossamer"]
