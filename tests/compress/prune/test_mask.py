from copy import deepcopy

import pytest
import torch
from torch import nn, optim

from gossamer.compress.prune.mask import HoldZeros, apply_masks
from gossamer.train.fit import fit
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


OPTIMISERS_OF_TORCH = {
    "sgd": lambda p: optim.SGD(p, 0.01, weight_decay=0.1),
    "momentum": lambda p: optim.SGD(p, 0.01, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, 0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, 0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, 0.01),
    "adamax": lambda p: optim.Adamax(p, 0.01),
    "nadam": lambda p: optim.NAdam(p, 0.01),
    "radam": lambda p: optim.RAdam(p, 0.01),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01, momentum=0.9, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, 0.01),
    "adadelta": lambda p: optim.Adadelta(p),
    "rprop": lambda p: optim.Rprop(p, 0.01),
}


@pytest.mark.parametrize("name", OPTIMISERS_OF_TORCH)
def test_attached_to_any_optimiser_zeros_stay(name):
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.mul_(torch.rand(layer.weight.shape, generator=generator) > 0.5)
    masks = [layer.weight != 0 for layer in (model[0], model[2])]
    optimiser = OPTIMISERS_OF_TORCH[name](model.parameters())
    handle = HoldZeros(model).attach(optimiser)
    x = torch.randn(8, 4, generator=generator)

    def step():
        optimiser.zero_grad()
        (model(x) - 1).square().sum().backward()
        optimiser.step()

    for _ in range(4):
        step()
        for layer, mask in zip((model[0], model[2]), masks, strict=True):
            assert torch.equal(layer.weight != 0, mask)
    handle.remove()
    step()
    assert not torch.equal(model[0].weight != 0, masks[0])


def test_masks_go_through_files_and_resumed_training(small_parent, small_data, tmp_path):
    recipe = Recipe(epochs=2, batch_size=20, learning_rate=0.05)

    def pruned() -> nn.Module:
        model = deepcopy(small_parent)
        with torch.no_grad():
            model[3].weight[:, :, 1] = 0
        return model

    class Killed(Exception):
        pass

    def kill(record):
        if record.epoch == 1:
            raise Killed

    def run(model, **options):
        held = HoldZeros(model)
        return fit(model, small_data, recipe, after_step=(held,), progress=False, **options)

    through = run(pruned())
    path = tmp_path / "half.safetensors"
    with pytest.raises(Killed):
        run(pruned(), checkpoint=path, on_epoch=kill)
    resumed = run(pruned(), checkpoint=path, resume=True)
    for (key, value), other in zip(
        through.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(value, other), key
    assert torch.equal(resumed[3].weight == 0, pruned()[3].weight == 0)
