"""The whole demo, as a user starts it."""

import json

import pytest

import gossamer
from gossamer.cli.demo.summary import ASKED_ACCURACY


@pytest.mark.slow
def test_the_demo_keeps_its_promises(gossamer_program, tmp_path):
    done = gossamer_program("demo", "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert "same answers as torch" in done.out
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"demo-plain.goss", "demo-igc.goss", "demo.html", "demo.json"} <= files
    data = json.loads((tmp_path / "out" / "demo.json").read_text())
    for network in data["networks"]:
        assert network["agreeing"] == network["images"] == 360
        assert network["before"]["parameters"] <= 150_000
        assert network["after"]["sparsity"] == pytest.approx(0.9, abs=0.001)
        for state in ("before", "after"):
            assert network[state]["accuracy"] >= ASKED_ACCURACY
    graph = gossamer.load(tmp_path / "out" / "demo-plain.goss")
    assert graph.record.class_names == tuple("0123456789")
