import json

import numpy as np
import pytest

import gossamer
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Conv2d, Flatten, GlobalAvgPool, Linear
from gossamer.images import InputRecord


@pytest.fixture
def network(tmp_path):
    """A network for handwritten digits that has learnt nothing."""
    rng = np.random.default_rng(0)
    nodes = (
        Node("conv", Conv2d(activation="relu"), ("x",), {"weight": "w"}),
        Node("pool", GlobalAvgPool(), ("conv",)),
        Node("flat", Flatten(), ("pool",)),
        Node("out", Linear(), ("flat",), {"weight": "v"}),
    )
    weights = {
        "w": Dense(rng.standard_normal((64, 1, 3, 3))),
        "v": Dense(rng.standard_normal((10, 64))),
    }
    names = tuple("0123456789")
    record = InputRecord(8, 8, "L", mean=(0.5,), deviation=(0.3,), class_names=names)
    graph = Graph(Input("x", (1, 1, 8, 8)), nodes, "out", weights, record, "digits-tiny")
    return gossamer.save(graph, tmp_path / "full.goss")


def test_a_file_comes_near_the_asked_size(gossamer_program, network, tmp_path):
    options = "--size 1500 --images 32 --trials 100 --out small.goss --json"
    done = gossamer_program("encode", network, *options.split())
    assert done.status == 0, done.err
    made = json.loads(done.out)
    assert made["size_bytes"] == (tmp_path / "small.goss").stat().st_size
    assert 1250 < made["size_bytes"] <= 1500
    assert 0 <= made["accuracy"] <= 1
    assert gossamer.load("small.goss").name == "digits-tiny"


def test_an_accuracy_is_kept(gossamer_program, network, tmp_path):
    options = "--accuracy 0.05 --images 16 --trials 200"
    done = gossamer_program("encode", network, *options.split())
    assert (done.status, done.err) == (0, "")
    assert "digits-tiny: wrote net.goss" in done.out
    assert "200 training images" in done.out


def test_a_file_has_the_profile_asked_for(gossamer_program, network):
    options = "--size 2500 --images 8 --trials 50 --profile fast --out fast.goss --json"
    done = gossamer_program("encode", network, *options.split())
    assert done.status == 0, done.err
    assert json.loads(done.out)["size_bytes"] <= 2500
    assert "(fast)" in gossamer_program("inspect", "fast.goss").out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("", "ask for one of both"),
        ("--size 9000 --accuracy 0.5", "ask for one of both"),
        ("--size 9000 --images 100000", "no image is left"),
        ("--accuracy 1 --images 16 --trials 50", "has not that accuracy"),
        ("--size 10 --images 8", "got 10 bytes, expected ≥"),
        ("--size 900000 --images 8", "expected ≤"),
        ("--size 9000 --out full.goss", "would replace the file"),
        ("--size 9000 --out absent/small.goss", "no such folder"),
        ("--size 9000 --images 8 --profile tiny", "unknown profile"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(gossamer_program, network, options, problem):
    done = gossamer_program("encode", network, *options.split())
    assert done.status == 2
    assert problem in done.err
