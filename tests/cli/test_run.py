import json

import numpy as np
import pytest

import gossamer
from gossamer.graph import Node, interpret
from gossamer.graph.ops import Softmax
from gossamer.graph.to_onnx import save_onnx


def test_pictures_go_through_the_networks_own_record(gossamer_program, net, picture):
    graph = gossamer.load(net)
    outputs = interpret(graph, graph.record.read(picture))[0]
    expected = np.exp(outputs) / np.exp(outputs).sum()
    (found,) = json.loads(gossamer_program("run", net, picture, "--json").out)
    assert found["input"] == str(picture)
    by_class = {guess["class"]: guess["probability"] for guess in found["softmax"]}
    assert [by_class[name] for name in ("ant", "bee", "cat")] == pytest.approx(expected, rel=1e-4)


def test_arrays_and_pictures_go_together(gossamer_program, net, picture, tmp_path):
    np.save(tmp_path / "batch.npy", np.zeros((2, 1, 6, 6)))
    found = json.loads(gossamer_program("run", net, "batch.npy", picture, "--json").out)
    assert [item["input"] for item in found] == ["batch.npy[0]", "batch.npy[1]", str(picture)]


def test_top_limits_the_classes(gossamer_program, net, picture):
    lines = gossamer_program("run", net, picture, "--top", 1).out.splitlines()
    assert lines[0].split() == ["input", "class", "softmax"]
    assert len(lines) == 2


def test_a_network_that_ends_in_a_softmax_gets_no_second_one(gossamer_program, net, picture):
    graph = gossamer.load(net)
    nodes = (*graph.nodes, Node("likely", Softmax(), (graph.output,)))
    gossamer.save(graph.with_nodes(nodes, graph.weights, "likely"), "softmax.goss")
    save_onnx(gossamer.load("softmax.goss"), "softmax.onnx")
    plain = json.loads(gossamer_program("run", net, picture, "--json").out)[0]["softmax"]
    for name in ("softmax.goss", "softmax.onnx"):
        found = json.loads(gossamer_program("run", name, picture, "--json").out)[0]["softmax"]
        assert [guess["class"] for guess in found] == [guess["class"] for guess in plain]
        for one, other in zip(found, plain, strict=True):
            assert one["probability"] == pytest.approx(other["probability"], rel=1e-4)
