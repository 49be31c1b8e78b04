"""Ranks chosen by the time that the compiler's own programs take, as the guide shows it."""

import numpy as np
import torch
from torch import nn

import gossamer as gs
from gossamer.compress.factor.factor import Factor
from gossamer.train.recipe import Recipe


def test_the_guides_clock_works():
    seen = []

    def time_ms(module: nn.Module, x: torch.Tensor) -> float:
        graph = gs.export(module, x)
        taken = gs.benchmark(graph, x.numpy(), against=(), rounds=1).timings[0].median_ms
        seen.append(taken)
        return taken if len(seen) == 1 else 1e-9  # whatever this machine is busy with

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)).eval()
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    step = Factor("svd", of="time", amount=0.1, reconstruct=False, include=("2",),
                  training=Recipe(epochs=0))  # fmt: skip
    result = gs.compress(model, x, [step], time_ms=time_ms)
    assert len(seen) > 2
    assert all(taken > 0 for taken in seen)
    with gs.compile(gs.export(result.model, x)) as program:
        np.testing.assert_allclose(program(x.numpy()), result.model(x).detach(), atol=1e-4)
