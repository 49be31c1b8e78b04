import pytest
import torch
from torch import nn

from gossamer.compress.prune.mask import apply_masks
from gossamer.train.recipe import Recipe
from gossamer.train.registry import OPTIMISERS


@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_masked_weights_stay_dead_through_momentum_and_decay(name):
    layer = nn.Linear(4, 3)
    mask = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) > 0.5
    optimiser = OPTIMISERS[name](layer.parameters(), Recipe(learning_rate=0.1, weight_decay=0.1))
    x = torch.ones(2, 4)
    for _ in range(3):
        optimiser.zero_grad()
        layer(x).square().sum().backward()
        optimiser.step()
        apply_masks({"a": layer}, {"a": mask}, optimiser)
        assert (layer.weight[~mask] == 0).all()
        assert not torch.signbit(layer.weight[~mask]).any()
        for value in optimiser.state[layer.weight].values():
            if value.shape == mask.shape:
                assert (value[~mask] == 0).all()
                assert (value[mask] != 0).any()
    assert (layer.weight[mask] != 0).all()
    assert (layer.bias != 0).all()
