"""What the tests of neuron passes share."""

import pytest
import torch
from torch import nn

from gossamer.compress.contract import Context


@pytest.fixture
def context(small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False)


@pytest.fixture
def told(context) -> tuple[Context, dict]:
    """A context that writes down what it is told."""
    from dataclasses import replace

    heard: dict = {}
    return replace(context, tell=heard.__setitem__), heard


@pytest.fixture
def sigmoids() -> nn.Module:
    """A network whose activations are never zero."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.Sigmoid(), nn.Conv2d(6, 6, 3), nn.Tanh(), nn.Flatten(),
        nn.Linear(24, 2),
    ).eval()  # fmt: skip
