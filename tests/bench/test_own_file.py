"""The file is made here, ONNX Runtime runs it, and the program is the interpreter."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from gossamer.bench.own_file import HALF_TOLERANCE, check_file
from gossamer.errors import VerificationError
from gossamer.graph import Dense, interpret
from gossamer.graph.to_onnx import save_onnx, to_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


@pytest.fixture
def path(subject, tmp_path):
    return save_onnx(subject.graph, tmp_path / "net.onnx")


def program(graph):
    return lambda x: interpret(graph, x)


def test_a_program_of_the_file_is_near(subject, x, path):
    checked = check_file(program(subject.graph), path, x, 1e-4)
    assert 0 <= checked.difference < 1e-5
    assert checked.reason == ""


@pytest.mark.parametrize("factor", [1.01, np.nan])
def test_another_network_is_refused(subject, x, path, factor):
    weights = subject.graph.weights
    other = {**weights, "fb": Dense(weights["fb"].to_dense() * np.float32(factor))}
    with pytest.raises(VerificationError, match=r"net\.onnx: gossamer computes other outputs"):
        check_file(program(replace(subject.graph, weights=other)), path, x, 1e-4)


def test_a_file_may_have_channels_last_and_doubles(subject, x, tmp_path):
    model = to_onnx(subject.graph)
    helper, entry = onnx.helper, model.graph.input[0]
    steps = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], [entry.name], perm=[0, 3, 1, 2]),
    ]
    nodes = [*steps, *model.graph.node]
    taken = helper.make_tensor_value_info("pixels", onnx.TensorProto.DOUBLE, ["N", "H", "W", 2])
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend(nodes)
    model.graph.input.append(taken)
    onnx.save(model, tmp_path / "last.onnx")
    checked = check_file(program(subject.graph), tmp_path / "last.onnx", x, 1e-4)
    assert checked.difference < 1e-5


def test_half_precision_is_allowed_its_rounding(subject, x, path):
    weights = subject.graph.weights
    scaled = {**weights, "fw": Dense(weights["fw"].to_dense() * np.float32(1.005))}
    other = program(replace(subject.graph, weights=scaled))
    with pytest.raises(VerificationError):
        check_file(other, path, x, 1e-4)
    model = onnx.load(path)
    unused = onnx.numpy_helper.from_array(np.ones(1, np.float16), "unused")
    model.graph.initializer.append(unused)
    onnx.save(model, path)
    assert 1e-4 < check_file(other, path, x, 1e-4).difference < HALF_TOLERANCE


def test_what_onnx_runtime_does_not_run_is_not_compared(subject, x, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    checked = check_file(program(subject.graph), tmp_path / "net.onnx", x, 1e-4)
    assert checked.difference is None
    assert "does not run it" in checked.reason
    assert "\n" not in checked.reason


def test_without_onnx_runtime_nothing_is_compared(subject, x, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    checked = check_file(program(subject.graph), path, x, 1e-4)
    assert checked.difference is None
    assert "pip install onnxruntime" in checked.reason
