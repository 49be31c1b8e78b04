"""The memory of all activations, beside the least that the values of the network need."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.bench.suite.network import build_graph
from gossamer.bench.suite.row import Row
from gossamer.compile.arena import place_buffers
from gossamer.compile.lowering.lower import lower
from gossamer.graph import Graph
from gossamer.graph.from_torch import from_torch
from gossamer.graph.live import live_peak
from gossamer.graph.rewrite.pipeline import rewrite
from gossamer.jit.target import host_target, narrowed
from gossamer.nets.create import create_model

MOST = 1.3
"""Arena over the least, one thread: padding, and what kernels need to work in, is the rest."""


@pytest.fixture(scope="module")
def resnet50() -> Graph:
    example = np.zeros((1, 3, 224, 224), np.float32)
    return rewrite(from_torch(create_model("resnet-50").eval(), example))


def over_the_least(graph: Graph, target: str) -> float:
    lowered = lower(graph, graph.input.example[1:], narrowed(host_target(), target), 1)
    _, size_bytes = place_buffers(lowered.steps, [lowered.input], [lowered.output])
    return size_bytes / live_peak(graph).size_bytes


@pytest.mark.parametrize("target", ["host", "portable"])
def test_resnet50_takes_little_more_than_its_values(resnet50: Graph, target: str) -> None:
    assert 1 <= over_the_least(resnet50, target) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("sparsity", [0.9, 0.95])
def test_pruned_resnet50_takes_little_more_than_its_values(sparsity: float) -> None:
    assert 1 <= over_the_least(build_graph(Row("resnet-50", sparsity)), "host") <= MOST
