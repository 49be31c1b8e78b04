from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gossamer.graph import interpret
from gossamer.graph.export import export
from gossamer.graph.from_torch.rounding import round_to_levels
from gossamer.graph.ops import Quantise

LEVELS = Quantise(0.0625, 3, 0, 15)


class Rounding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return round_to_levels(x, LEVELS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_rounds_as_the_graph_does(dtype: torch.dtype) -> None:
    halves = torch.arange(-20, 40, dtype=dtype) * 0.03125
    graph = export(nn.Sequential(Rounding(), nn.Flatten()), torch.zeros(1, 60))
    found = interpret(graph, halves[None].numpy())
    assert np.array_equal(round_to_levels(halves, LEVELS).numpy(), found[0])


def test_one_operator_and_its_levels() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), Rounding(), nn.ReLU())
    graph = export(model, torch.zeros(1, 1, 6, 6))
    (node,) = [node for node in graph.nodes if isinstance(node.op, Quantise)]
    assert node.op == LEVELS


def test_the_gradient_is_that_of_the_limits() -> None:
    x = torch.linspace(-1, 2, 301, requires_grad=True)
    round_to_levels(x, LEVELS).sum().backward()
    low, high = -3 * 0.0625, 12 * 0.0625
    assert torch.equal(x.grad, ((x >= low) & (x <= high)).float())
    assert torch.autograd.gradcheck(
        lambda v: v.clamp(low, high), torch.tensor([0.1, 5.0]).double().requires_grad_()
    )


def test_an_export_that_rounds_is_checked() -> None:
    """Ties that the module and the interpreter may take to either side do not stop an export."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), Rounding(), nn.Conv2d(8, 8, 3, padding=1), Rounding()
    )
    with torch.no_grad():
        for conv in (model[0], model[2]):  # multiples of half a level: ties everywhere
            conv.weight.copy_((conv.weight * 8).round() / 8)
            conv.bias.fill_(0.03125)
    graph = export(model, torch.randn(2, 1, 12, 12))
    assert sum(isinstance(node.op, Quantise) for node in graph.nodes) == 2
