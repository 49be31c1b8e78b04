import pytest
import torch

from gossamer.train.recipe import Recipe
from gossamer.train.registry import OPTIMISERS


@pytest.mark.parametrize("name", list(OPTIMISERS))
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_descends_a_bowl(name, momentum):
    weight = torch.nn.Parameter(torch.ones(3))
    recipe = Recipe(optimiser=name, learning_rate=0.05, momentum=momentum)
    optimiser = OPTIMISERS[name]([weight], recipe)
    for _ in range(50):
        optimiser.zero_grad()
        weight.square().sum().backward()
        optimiser.step()
    assert weight.abs().max() < 0.2
    assert optimiser.defaults["weight_decay"] == recipe.weight_decay
