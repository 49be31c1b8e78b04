import dataclasses
import json
import sys

import numpy as np
import pytest

import gossamer
from gossamer.bench.record import read_records
from gossamer.bench.suite.measure import quantise_randomly
from gossamer.graph import Dense, Input
from gossamer.graph.to_onnx import save_onnx
from tests.cli.conftest import tiny_graph


def test_engines_are_timed_and_recorded(gossamer_program, net, tmp_path):
    done = gossamer_program(
        *("bench", net, "--against", "onnxruntime", "--rounds", 3, "--batch", 2),
        *("--out", tmp_path / "record.jsonl", "--explain", "--json"),
    )
    assert done.status == 0, done.err
    data = json.loads(done.out)
    assert [timing["name"] for timing in data["timings"]] == ["gossamer", "onnxruntime"]
    assert all(len(timing["times_ms"]) == 3 for timing in data["timings"])
    assert data["input_shape"] == [2, 1, 6, 6]
    assert "conv" in data["explain"]
    (record,) = read_records(tmp_path / "record.jsonl")
    assert record.command == data["command"]


def test_engines_may_be_named_with_commas(gossamer_program, net):
    done = gossamer_program(
        *("bench", net, "--against", "onnxruntime,gossamer", "--against", "onnxruntime"),
        *("--rounds", 1, "--json"),
    )
    data = json.loads(done.out)
    assert [timing["name"] for timing in data["timings"]] == ["gossamer", "onnxruntime"]
    assert data["command"].endswith("--against onnxruntime,gossamer")


def test_an_unknown_engine_is_one_line(gossamer_program, net):
    done = gossamer_program("bench", net, "--against", "onnxruntime,openvin")
    assert (done.status, done.out) == (2, "")
    assert "did you mean 'openvino'" in done.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [(("--against", "onnxruntime"), "not held"), (("--isa", "avx1024"), "instruction set")],
)
def test_only_our_program_is_held_to_an_instruction_set(gossamer_program, net, options, expected):
    done = gossamer_program("bench", net, "--isa", "portable", *options)
    assert (done.status, done.out) == (2, "")
    assert expected in done.err


def test_a_held_program_is_timed(gossamer_program, net):
    done = gossamer_program("bench", net, "--isa", "portable", "--rounds", 1, "--explain", "--json")
    data = json.loads(done.out)
    assert data["command"].endswith("--isa portable")
    assert "portable" in data["explain"].splitlines()[0]


def test_the_recorded_command_repeats_the_measurement(gossamer_program, net):
    command = json.loads(gossamer_program("bench", net, "--rounds", 1, "--json").out)["command"]
    program, *arguments = command.split()
    again = gossamer_program(*arguments)
    assert (program, again.status) == ("gossamer", 0)
    assert "gossamer" in again.out


@pytest.fixture
def float_file(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    return save_onnx(tiny_graph(), tmp_path / "float.onnx")


@pytest.fixture
def qdq_file(float_file, tmp_path):
    return save_onnx(quantise_randomly(gossamer.load(float_file)), tmp_path / "qdq.onnx")


@pytest.fixture(params=["float_file", "qdq_file"])
def onnx_file(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("rival", ["onnxruntime", "openvino"])
def test_an_onnx_file_is_measured_and_compared_with_itself(gossamer_program, onnx_file, rival):
    pytest.importorskip(rival, reason=f"{rival} is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    done = gossamer_program("bench", onnx_file, "--against", rival, "--rounds", 1, "--json")
    assert done.status == 0, done.err
    data = json.loads(done.out)
    assert [timing["name"] for timing in data["timings"]] == ["gossamer", rival]
    assert data["missing"] == {}
    assert data["file_check"]["difference"] < 0.05
    assert data["file_check"]["reason"] == ""


def test_mnn_measures_a_float_file(gossamer_program, float_file):
    pytest.importorskip("MNN", reason="MNN is not installed")
    done = gossamer_program("bench", float_file, "--against", "mnn", "--rounds", 1)
    assert done.status == 0, done.err
    assert "\nmnn  " in done.out


@pytest.fixture
def lost(monkeypatch):
    """MNN is not installed, ONNX Runtime raises while it runs."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    monkeypatch.setitem(sys.modules, "MNN", None)
    monkeypatch.delenv("GOSSAMER_DEEPSPARSE", raising=False)

    def fail(self, x):
        raise RuntimeError("no kernel\nfor this")

    monkeypatch.setattr("gossamer.bench.engines.onnxruntime.OnnxRuntime.bind", fail)


def test_below_the_table_stands_why_a_rival_is_missing(gossamer_program, onnx_file, lost):
    rivals = "mnn,onnxruntime,deepsparse"
    done = gossamer_program("bench", onnx_file, "--against", rivals, "--rounds", 1)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[2].startswith("gossamer")
    assert lines[4] == "mnn was not measured: MNN is not installed; pip install MNN onnx"
    reasons = [line for line in lines if "was not measured" in line]
    assert [line.partition(" ")[0] for line in reasons] == ["mnn", "deepsparse", "onnxruntime"]
    assert reasons[2].endswith(": RuntimeError: no kernel for this")
    assert "pip install 'deepsparse==" in reasons[1]


def test_json_has_the_reasons_too(gossamer_program, onnx_file, lost):
    done = gossamer_program(
        *("bench", onnx_file, "--against", "mnn,onnxruntime", "--rounds", 1),
        *("--json", "--out", "record.jsonl"),
    )
    assert done.status == 0, done.err
    data = json.loads(done.out)
    assert [timing["name"] for timing in data["timings"]] == ["gossamer"]
    assert set(data["missing"]) == {"mnn", "onnxruntime"}
    (record,) = read_records("record.jsonl")
    assert dict(record.missing) == data["missing"]


def test_without_onnx_runtime_the_file_is_not_compared(gossamer_program, float_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = gossamer_program("bench", float_file, "--rounds", 1)
    assert done.status == 0, done.err
    assert "were not compared" in done.out
    assert "pip install onnxruntime" in done.out


def test_a_file_that_was_read_wrongly_is_not_measured(gossamer_program, float_file, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    graph = gossamer.load(float_file)
    name = graph.nodes[-1].weights["weight"]
    wrong = {**graph.weights, name: Dense(graph.weights[name].to_dense() * np.float32(1.01))}
    misread = dataclasses.replace(graph, weights=wrong)
    monkeypatch.setattr("gossamer.cli.progress.load_tracked", lambda path: misread)
    done = gossamer_program("bench", float_file, "--rounds", 1)
    assert (done.status, done.out) == (2, "")
    assert "float.onnx: gossamer computes other outputs" in done.err
    allowed = gossamer_program("bench", float_file, "--rounds", 1, "--tolerance", 0.1, "--json")
    assert allowed.status == 0, allowed.err
    assert "--tolerance 0.1" in json.loads(allowed.out)["command"]


def test_the_batch_is_what_the_file_fixes(gossamer_program, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    graph = dataclasses.replace(tiny_graph(), input=Input("input", (3, 1, 6, 6), frozenset()))
    path = save_onnx(graph, tmp_path / "three.onnx")
    done = gossamer_program("bench", path, "--rounds", 1, "--json")
    assert json.loads(done.out)["input_shape"] == [3, 1, 6, 6]
    done = gossamer_program("bench", path, "--batch", 2)
    assert (done.status, done.out) == (2, "")
    assert "--batch" in done.err
    assert "expected 3" in done.err
