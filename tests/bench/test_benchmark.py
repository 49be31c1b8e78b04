from dataclasses import replace

import pytest
import torch

from gossamer.bench.benchmark import benchmark
from gossamer.bench.record import Record
from gossamer.compile.compile import compile
from gossamer.errors import ShapeError, SpecError, UnknownNameError, VerificationError


def test_a_graph_is_compared_with_its_module(subject, x):
    ticks = []
    record = benchmark(
        subject.graph,
        x,
        against=["torch"],
        module=subject.module,
        rounds=3,
        command="test",
        advance=lambda: ticks.append(None),
    )
    assert [timing.name for timing in record.timings] == ["gossamer", "torch"]
    assert all(len(timing.times_ms) == 3 for timing in record.timings)
    assert len(ticks) == 6
    assert record.differences["gossamer"] == 0
    assert 0 <= record.differences["torch"] < 1e-5
    assert (record.network, record.input_shape, record.threads) == ("tiny", x.shape, 1)
    assert {"torch", "gossamer", "numpy"} <= set(record.versions)
    assert Record.from_dict(record.to_dict()) == record


def test_a_program_keeps_running_afterwards(subject, x):
    with compile(subject.graph, threads=2) as program:
        record = benchmark(program, x, against=[], rounds=1)
        assert record.threads == 2
        assert program(x).shape == (3, 4)


def test_engines_that_differ_are_not_timed(subject, x):
    with torch.no_grad():
        subject.module[0].bias += 1
    with pytest.raises(VerificationError, match="torch and gossamer differ"):
        benchmark(subject.graph, x, against=["torch"], module=subject.module)


def test_a_nan_is_a_difference(subject, x):
    with torch.no_grad():
        subject.module[0].bias += float("nan")
    with pytest.raises(VerificationError):
        benchmark(subject.graph, x, against=["torch"], module=subject.module)


def test_unless_it_is_strict_a_rival_loses_its_place(subject, x):
    with torch.no_grad():
        subject.module[0].bias += 1
    rivals = ["torch", "deepsparse", "gossamer"]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GOSSAMER_DEEPSPARSE", raising=False)
        record = benchmark(
            subject.graph, x, against=rivals, module=subject.module, strict=False, rounds=1
        )
    assert [timing.name for timing in record.timings] == ["gossamer"]
    assert "outputs of torch and gossamer differ" in record.missing["torch"]
    assert "pip install" in record.missing["deepsparse"]
    assert Record.from_dict(record.to_dict()) == record


def test_our_own_failure_always_ends_it(subject, x, monkeypatch):
    monkeypatch.setattr("gossamer.bench.engines.gossamer.Gossamer.bind", lambda self, x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        benchmark(subject.graph, x, against=[], strict=False)


def test_a_name_of_no_engine_is_refused_strict_or_not(subject, x):
    with pytest.raises(UnknownNameError):
        benchmark(subject.graph, x, against=["nosuchengine"], strict=False)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"against": ["nosuchengine"]}, UnknownNameError),
        ({"against": ["torch"]}, SpecError),
        ({"threads": 0}, SpecError),
        ({"rounds": 0}, SpecError),
    ],
)
def test_impossible_wishes_are_refused(subject, x, options, error):
    with pytest.raises(error):
        benchmark(subject.graph, x, **{"against": [], **options})


def test_an_input_that_does_not_fit_is_refused(subject, x):
    with pytest.raises(ShapeError):
        benchmark(subject.graph, x[:, :1], against=[])


def test_a_program_runs_with_its_own_threads(subject, x):
    with (
        compile(subject.graph, threads=1) as program,
        pytest.raises(SpecError, match="other threads"),
    ):
        benchmark(program, x, against=[], threads=2)


def test_the_network_is_measured_once_for_each_engine(subject, x):
    record = benchmark(
        replace(subject.graph, name="other"),
        x,
        against=["torch", "gossamer", "torch"],
        module=subject.module,
        rounds=1,
    )
    assert [timing.name for timing in record.timings] == ["gossamer", "torch"]
    assert record.network == "other"


def test_network_and_input_are_enough(subject, x):
    pytest.importorskip("onnxruntime")
    record = benchmark(subject.graph, x, rounds=1)
    assert [timing.name for timing in record.timings] == ["gossamer", "onnxruntime"]
