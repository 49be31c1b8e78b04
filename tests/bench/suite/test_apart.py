"""These start a real process each."""

import os
import signal

import pytest

from gossamer.bench.engines.deepsparse import INTERPRETER
from gossamer.bench.suite.apart import measure_apart
from gossamer.bench.suite.measure import Conditions
from gossamer.bench.suite.row import Row

ROW = Row("digits-plain", 0.9)


@pytest.fixture
def deadly(monkeypatch, tmp_path):
    """Make starting one rival kill the process that starts it."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nkill -{signal.SIGSEGV.value} $PPID\n")
    script.chmod(0o755)
    monkeypatch.setenv(INTERPRETER, str(script))


@pytest.mark.slow
@pytest.mark.usefixtures("deadly")
def test_a_rival_that_crashes_loses_its_cell():
    found = measure_apart(ROW, Conditions(1, ("deepsparse",), rounds=1))
    assert found.missing == {"deepsparse": "crashed (SIGSEGV)"}
    assert [timing.name for timing in found.record.timings] == ["gossamer"]


def test_the_result_comes_back_from_the_other_process():
    found = measure_apart(Row("digits-plain", precision="int8"), Conditions(2, ("mnn",), 3))
    assert (found.row, found.threads, found.rounds) == ("digits-plain, dense int8", 2, 3)
    assert found.record.timings[0].name == "gossamer"


def test_a_row_that_takes_too_long_is_given_up():
    found = measure_apart(ROW, Conditions(2, ("onnxruntime",)), limit_s=0.01)
    assert found.record is None
    assert found.missing == {"gossamer": "took longer than 0.01 s"}
    assert (found.row, found.threads) == (ROW.name, 2)


def test_an_error_of_the_process_is_told(monkeypatch):
    monkeypatch.setattr("gossamer.bench.suite.apart._REQUEST", "elsewhere.json")
    found = measure_apart(ROW, Conditions())
    assert found.record is None
    assert "request.json" in found.missing["gossamer"]
    assert os.linesep not in found.missing["gossamer"]
