"""The adapter and its script against a stand-in for DeepSparse, which runs ONNX Runtime."""

import sys

import numpy as np
import pytest

from gossamer.bench.clock import SelfTimed
from gossamer.bench.engines.deepsparse import INTERPRETER, DeepSparse
from gossamer.errors import MissingDependencyError, ProgramError
from gossamer.graph import interpret

pytest.importorskip("onnxruntime")

STAND_IN = """
import os
import onnxruntime

__version__ = "0.0"

class Engine:
    cpu_avx_type = "stand-in"

    def __init__(self, model, batch_size, num_cores, num_streams):
        print("a banner, which is no answer")
        assert (batch_size, num_streams) == (3, 1)
        if num_cores == 7:
            raise ValueError("seven is too many")
        self.cores = num_cores
        self.session = onnxruntime.InferenceSession(model)

    def run(self, inputs, val_inp):
        if self.cores == 9:
            os._exit(1)
        return self.session.run(None, {"x": inputs[0]})
"""


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Make an interpreter that finds the stand-in, and name it in the environment."""
    (tmp_path / "deepsparse.py").write_text(STAND_IN)
    start = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = sys.argv[2:]; "
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv(INTERPRETER, str(script))


@pytest.mark.usefixtures("stand_in")
def test_the_network_runs_over_there(subject, x):
    with DeepSparse(subject) as engine:
        assert engine(x) == pytest.approx(interpret(subject.graph, x), abs=1e-5)
        call = engine.bind(2 * x)
        assert np.asarray(call()) == pytest.approx(interpret(subject.graph, 2 * x), abs=1e-5)
        assert isinstance(call, SelfTimed)
        assert 0 < call.elapsed_ns(1) < 60e9
        assert engine.versions() == {"deepsparse": "0.0 (stand-in)"}
    assert engine._process.returncode == 0


@pytest.mark.usefixtures("stand_in")
def test_its_errors_are_told(subject):
    with pytest.raises(ProgramError, match="seven is too many"):
        DeepSparse(subject, threads=7)


@pytest.mark.usefixtures("stand_in")
def test_its_end_is_noticed(subject, x):
    with DeepSparse(subject, threads=9) as engine, pytest.raises(ProgramError, match="has ended"):
        engine(x)


def test_without_an_interpreter_it_is_missing(monkeypatch, subject):
    monkeypatch.delenv(INTERPRETER, raising=False)
    with pytest.raises(MissingDependencyError, match=INTERPRETER):
        DeepSparse(subject)


def test_an_interpreter_that_is_not_there_is_named(monkeypatch, subject):
    monkeypatch.setenv(INTERPRETER, "/nowhere/python")
    with pytest.raises(MissingDependencyError, match="/nowhere/python"):
        DeepSparse(subject)
