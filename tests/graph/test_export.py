"""Export: verified on every call, rewritten, and loud when something differs."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gossamer as gs
from gossamer.errors import GraphError, ShapeError, SpecError, VerificationError
from gossamer.graph import Dense, Graph, interpret
from gossamer.graph import export as export_module
from gossamer.graph.export import export
from gossamer.graph.interpret import MEANING
from gossamer.graph.ops import Activation
from gossamer.images import InputRecord


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


# The package names the function; the module behind it is patched.
INTERPRETER = sys.modules["gossamer.graph.interpret"]
RECORD = InputRecord(height=8, width=8)


def test_is_the_public_name() -> None:
    assert gs.export is export


def test_folds_fuses_and_carries_name_and_record() -> None:
    graph = export(small_net(), torch.zeros(1, 3, 8, 8), record=RECORD, name="small")
    kinds = ["conv2d", "max_pool2d", "conv2d", "global_avg_pool", "flatten", "linear"]
    assert [node.op.kind for node in graph.nodes] == kinds
    assert (graph.name, graph.record) == ("small", RECORD)
    assert str(graph.input) == "N=1×3×H=8×W=8"


def test_without_rewrites_every_layer_is_there() -> None:
    graph = export(small_net(), torch.zeros(1, 3, 8, 8), rewrite=False)
    assert len(graph.nodes) == 9


def test_equals_the_module() -> None:
    model = small_net().eval()
    graph = export(model, (torch.randn(2, 3, 8, 8),))
    x = torch.randn(3, 3, 11, 9)
    with torch.no_grad():
        np.testing.assert_allclose(interpret(graph, x.numpy()), model(x), rtol=1e-4, atol=1e-6)


def test_huge_activations_raise_no_false_alarm() -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(12):
        conv = nn.Conv2d(16, 16, 3, padding=1)
        nn.init.normal_(conv.weight, std=20)
        layers += [conv, nn.ReLU()]
    export(nn.Sequential(*layers), torch.randn(1, 16, 6, 6))


def test_overflow_raises_no_false_alarm() -> None:
    conv = nn.Conv2d(1, 1, 1)
    nn.init.constant_(conv.weight, 1e30)
    export(nn.Sequential(conv, conv), torch.ones(1, 1, 2, 2))


class Cancelling(nn.Module):
    """Adds and takes away a million: float32 itself keeps few digits."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1e6) - 1e6


def test_float32_noise_of_the_module_itself_is_allowed() -> None:
    export(Cancelling(), torch.randn(1, 2, 4, 4))


class SizeDependent(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.shape[2] % 2 == 0 else F.relu(x)


def test_a_network_that_depends_on_the_size_gets_a_fixed_size() -> None:
    graph = export(SizeDependent(), torch.randn(1, 2, 4, 4))
    assert graph.input.free == {0}


def test_a_wrong_operator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(op: Activation, inputs: list[np.ndarray], weights: object) -> np.ndarray:
        return inputs[0]

    monkeypatch.setattr(INTERPRETER, "MEANING", {**MEANING, Activation: broken})
    with pytest.raises(VerificationError, match="node '2': values differ"):
        export(small_net(), torch.randn(1, 3, 8, 8), rewrite=False)


def test_a_wrong_rewrite_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: Graph) -> Graph:
        weights = {n: Dense(1.001 * w.to_dense()) for n, w in graph.weights.items()}
        return replace(graph, weights=weights)

    monkeypatch.setattr(export_module, "rewritten", broken)
    with pytest.raises(VerificationError, match="after its rewrites"):
        export(small_net(), torch.randn(1, 3, 8, 8))


def test_an_example_of_zeros_does_not_hide_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(op: object, inputs: list[np.ndarray], weights: object) -> np.ndarray:
        return 2 * inputs[0]

    monkeypatch.setattr(INTERPRETER, "MEANING", {**MEANING, Activation: broken})
    with pytest.raises(VerificationError):
        export(nn.ReLU(), torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize("model", [None, nn.ReLU, "net"])
def test_what_is_not_a_module(model: Any) -> None:
    with pytest.raises(GraphError, match="not a module"):
        export(model, torch.zeros(1, 3, 4, 4))


def test_an_example_that_the_module_refuses() -> None:
    with pytest.raises(ShapeError, match="Sequential: the module does not take the example"):
        export(small_net(), torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize(
    "record", [InputRecord(8, 8, "L", mean=(0.0,), deviation=(1.0,)), InputRecord(7, 8)]
)
def test_a_record_that_does_not_fit(record: InputRecord) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(SpecError, match="record does not fit"):
        export(model, torch.zeros(1, 3, 8, 8), record=record)


def test_pruned_channels_leave_the_graph() -> None:
    model = small_net()
    with torch.no_grad():
        model[0].weight[[1, 4, 6]] = 0  # type: ignore[index]
        model[4].bias.fill_(0.5)  # type: ignore[union-attr]
        model[4].bias[[1, 4, 6]] = 0  # type: ignore[index]
    graph = export(model, torch.randn(1, 3, 8, 8))
    assert graph.weight_shapes(graph.node("0"))["weight"] == (5, 3, 3, 3)
    assert graph.weight_shapes(graph.node("8"))["weight"] == (5, 5)


@pytest.mark.parametrize(
    ("size", "names", "message"),
    [(9, ("a", "b"), "another picture size"), (8, ("a", "b", "c"), "another number of classes")],
)
def test_a_record_of_another_network_is_refused(size, names, message):
    record = InputRecord(size, size, "L", mean=(0.0,), deviation=(1.0,), class_names=names)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(SpecError, match=message):
        export(model, torch.zeros(1, 1, 8, 8), record=record)
