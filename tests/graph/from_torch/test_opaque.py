from __future__ import annotations

import pytest
import torch
from torch import nn

from gossamer.graph.export import export
from gossamer.graph.ops import AvgPool2d, LocalResponseNorm


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_response_norm_stays_one_operator(size: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(size, 0.1, 0.6, 2.0))
    graph = export(model, torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(0)))
    (norm,) = [node.op for node in graph.nodes if isinstance(node.op, LocalResponseNorm)]
    assert norm == LocalResponseNorm(size, 0.1, 0.6, 2.0)
    assert type(model[1]) is nn.LocalResponseNorm


def test_a_response_norm_alone() -> None:
    graph = export(nn.LocalResponseNorm(3), torch.zeros(1, 4, 5, 5))
    assert [node.op.kind for node in graph.nodes] == ["local_response_norm"]


def test_what_needs_a_known_size_fixes_the_picture() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d((3, 3)), nn.Flatten(), nn.Linear(36, 2)
    )
    graph = export(model, torch.zeros(1, 3, 14, 14))
    assert graph.input.free == {0}
    assert AvgPool2d((4, 4), (4, 4)) in [node.op for node in graph.nodes]
