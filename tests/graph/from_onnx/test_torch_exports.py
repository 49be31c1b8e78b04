"""Networks that torch exported, read again: equal to ONNX Runtime on the same file."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.graph import interpret
from gossamer.graph.check import compare
from gossamer.graph.from_onnx import load_onnx
from gossamer.nets.create import create_model
from tests.graph.from_onnx.conftest import run_onnx

NETWORKS = ["digits-igc", "squeezenet-1.1", "resnet-20-cifar", "mobilenet-v2-cifar"]
SIZES = {"digits-igc": (1, 8, 8), "squeezenet-1.1": (3, 64, 64)}
has_dynamo = importlib.util.find_spec("onnxscript") is not None
dynamo = pytest.param(
    None, True, id="dynamo", marks=pytest.mark.skipif(not has_dynamo, reason="needs onnxscript")
)


class Patterns(nn.Module):
    """What exporters write in many ways: gates, shuffles, splits, paddings, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Linear(8, 4), nn.Linear(4, 8)
        self.last = nn.Linear(11, 5)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        x = F.hardswish(self.norm(self.first(F.pad(x, (1, 0, 2, 0)))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        x = F.silu(x * gate.view(-1, 8, 1, 1))
        x = x.view(n, 2, 4, height + 2, width + 1).transpose(1, 2).flatten(1, 2)
        a, b = x.chunk(2, 1)
        x = torch.cat([b, F.relu6(a), F.avg_pool2d(b, 3, 1, 1)[:, 1:]], 1)
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        return self.last(F.adaptive_avg_pool2d(x, 1).flatten(1)).softmax(1)


def settled(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Return the model in evaluation mode, with norm statistics of some data."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    torch.manual_seed(0)
    with torch.no_grad():
        model.train()(torch.randn(8, *shape))
    return model.eval()


def export(model: nn.Module, x: Tensor, path: Path, opset: int | None, dynamo: bool) -> None:
    """Export with a free batch, by either exporter."""
    options: dict[str, Any] = {"dynamic_axes": {"x": {0: "N"}}}
    if dynamo:
        options = {"dynamic_shapes": ({0: torch.export.Dim("N")},), "verbose": False}
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        torch.onnx.export(
            model,
            (x,),
            str(path),
            input_names=["x"],
            opset_version=opset,
            dynamo=dynamo,
            **options,
        )


def check(model: nn.Module, shape: tuple[int, ...], path: Path, opset: Any, dynamo: bool) -> None:
    export(settled(model, shape), torch.randn(2, *shape), path, opset, dynamo)
    graph = load_onnx(path)
    assert graph.input.free == {0}
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    compare(path.name, run_onnx(str(path), x), interpret(graph, x))


@pytest.mark.parametrize(("opset", "dynamo"), [(11, False), (13, False), (17, False), dynamo])
def test_patterns(opset: int | None, dynamo: bool, tmp_path: Path) -> None:
    check(Patterns(), (3, 9, 8), tmp_path / "net.onnx", opset, dynamo)


@pytest.mark.parametrize("opset", [11, 20])
def test_a_small_network(opset: int, tmp_path: Path) -> None:
    check(create_model("digits-plain"), (1, 8, 8), tmp_path / "net.onnx", opset, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("opset", "dynamo"), [(11, False), (13, False), (17, False), (20, False), dynamo]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, opset: int | None, dynamo: bool, tmp_path: Path) -> None:
    shape = SIZES.get(name, (3, 32, 32))
    check(create_model(name), shape, tmp_path / "net.onnx", opset, dynamo)
