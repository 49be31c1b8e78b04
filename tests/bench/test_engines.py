"""One contract for all engines: what they compute is what the interpreter says."""

import os
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from gossamer.bench.engines import ENGINES
from gossamer.bench.engines.deepsparse import INTERPRETER
from gossamer.bench.engines.torch import torch_threads
from gossamer.errors import MissingDependencyError, SpecError
from gossamer.graph import interpret

PACKAGES = {
    "gossamer": "llvmlite",
    "onnxruntime-int8": "onnxruntime",
    "openvino-int8": "openvino",
    "mnn": "MNN",
}


@pytest.fixture(params=list(ENGINES))
def engine_class(request):
    if request.param == "deepsparse":
        if INTERPRETER not in os.environ:
            pytest.skip(f"{INTERPRETER} names no interpreter")
    elif not find_spec(package := PACKAGES.get(request.param, request.param)):
        pytest.skip(f"{package} is not installed")
    return ENGINES[request.param]


@pytest.mark.parametrize("threads", [1, 2])
def test_every_engine_computes_the_graph(engine_class, subject, x, threads):
    expected = interpret(subject.graph, x)
    allowed = 0.05 if engine_class.name.endswith("int8") else 1e-4  # eight bits against 24
    with engine_class(subject, threads=threads) as engine:
        assert engine(x) == pytest.approx(expected, abs=allowed)
        call = engine.bind(x)
        assert np.asarray(call()) == pytest.approx(expected, abs=allowed)


def test_every_engine_has_its_registered_name_and_versions(engine_class, subject):
    assert ENGINES[engine_class.name] is engine_class
    with engine_class(subject) as engine:
        assert engine.versions()
        assert all(version for version in engine.versions().values())


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "openvino-int8", "mnn", "torch"])
def test_a_missing_package_is_named_with_a_hint(monkeypatch, subject, name):
    engine_class = ENGINES[name]
    monkeypatch.setitem(sys.modules, PACKAGES.get(name, name), None)
    with pytest.raises(MissingDependencyError, match="pip install"):
        engine_class(subject)


@pytest.mark.parametrize(("name", "form"), [("torch", "module"), ("gossamer", "program")])
def test_an_engine_needs_the_form_that_it_runs(subject, name, form):
    with pytest.raises(SpecError, match=form):
        ENGINES[name](replace(subject, **{form: None}))


def test_torch_puts_threads_and_mode_back(subject, x):
    before = torch.get_num_threads()
    subject.module.train()
    with ENGINES["torch"](subject, threads=before + 1) as engine:
        assert torch.get_num_threads() == before + 1
        assert not subject.module.training
        engine(x)
    assert torch.get_num_threads() == before
    assert subject.module.training


def test_torch_threads_are_put_back_after_an_error():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with suppress(KeyError), torch_threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before


def test_the_program_stays_open(subject, x):
    with ENGINES["gossamer"](subject) as engine:
        expected = engine(x)
    assert np.array_equal(subject.program(x), expected)
