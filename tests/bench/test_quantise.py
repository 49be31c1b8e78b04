import dataclasses

import numpy as np
import pytest

from gossamer.bench import quantise
from gossamer.bench.quantise import quantise_qdq, random_inputs
from gossamer.graph import interpret

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def initialisers(data):
    model = onnx.load_from_string(data)
    return {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}


def test_weights_are_int8_with_a_scale_per_channel(subject):
    arrays = initialisers(quantise_qdq(subject.fixed_graph))
    convolution = [a for a in arrays.values() if a.dtype == np.int8 and a.ndim == 4]
    assert [a.shape for a in convolution] == [(5, 2, 3, 3)]
    assert any(a.dtype == np.float32 and a.shape == (5,) for a in arrays.values())


def test_it_is_still_the_same_network(subject, x):
    session = onnxruntime.InferenceSession(quantise_qdq(subject.fixed_graph))
    (output,) = session.run(None, {"x": x})
    expected = interpret(subject.graph, x)
    assert np.abs(output - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize(("isa", "most"), [(("avx2",), 64), (("avx2", "avx512_vnni"), 127)])
def test_weights_have_seven_bits_where_sums_would_saturate(subject, monkeypatch, isa, most):
    machine = dataclasses.replace(quantise.detect_machine(), isa=isa)
    monkeypatch.setattr(quantise, "detect_machine", lambda: machine)
    arrays = initialisers(quantise_qdq(subject.fixed_graph))
    assert max(np.abs(a.astype(int)).max() for a in arrays.values() if a.dtype == np.int8) == most


def test_calibration_is_the_same_every_time(subject):
    first, second = (list(random_inputs(subject.fixed_graph)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert {a.shape for a in first} == {(3, 2, 6, 7)}
