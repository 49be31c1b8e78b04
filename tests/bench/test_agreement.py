from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.bench.agreement import agreement
from gossamer.bench.suite.measure import quantise_randomly
from gossamer.bench.suite.network import build_graph
from gossamer.bench.suite.row import Row
from gossamer.bench.suite.rows import ROWS
from gossamer.graph import Dense, Graph

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

AIM = 1e-5
"""Of the largest output, in float32."""
MAGNIFIES = {"sparsenet-concat-121"}
"""Networks whose random weights magnify rounding: every engine is further from float64."""
SUITE = [row for row in ROWS if row.precision == "float32" and not row.weights]


def pictures(graph: Graph, count: int) -> np.ndarray:
    shape = (count, *graph.input.example[1:])
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_small_network_agrees(precision: str) -> None:
    graph = build_graph(Row("digits-plain", 0.9))
    graph = quantise_randomly(graph) if precision == "int8" else graph
    found = agreement(graph, pictures(graph, 3), targets=("host", "portable"), measure=False)
    assert set(found.ours) == set(found.apart) == {"host", "portable"}
    # In int8 one flip of a level is of the order of a step, 1/127.
    most = 2 / 127 if precision == "int8" else AIM
    assert max(*found.ours.values(), found.rival, found.own, *found.apart.values()) <= most


def test_another_network_does_not_agree(subject, x: np.ndarray, monkeypatch) -> None:
    graph = subject.graph
    other = {**graph.weights, "fb": Dense(graph.weights["fb"].to_dense() + 1)}
    monkeypatch.setattr("gossamer.bench.agreement.compile", lambda *_, **__: subject.program)
    found = agreement(replace(graph, weights=other), x, targets=("host",))
    assert found.rival <= AIM < 1e-2 < min(found.ours["host"], found.apart["host"])


@pytest.mark.slow
@pytest.mark.parametrize("row", SUITE, ids=lambda row: row.name)
def test_the_networks_of_the_suite_agree_with_onnx_runtime(row: Row) -> None:
    graph = build_graph(row)
    found = agreement(graph, pictures(graph, 1), targets=("host",), measure=False)
    if row.network in MAGNIFIES:
        assert found.ours["host"] <= 6 * found.rival
    else:
        assert found.apart["host"] <= AIM
