from copy import deepcopy

import numpy as np
import torch
from torch import nn

from gossamer.compress.norms import reestimate_norms


def test_statistics_are_those_of_the_images(small_parent, small_data):
    model = deepcopy(small_parent).train()
    nn.init.constant_(model[0].weight, 0.1)
    reestimate_norms(model, small_data.train, images=100, batch_size=100)
    with torch.no_grad():
        seen = model[0](small_data.train.batch(np.arange(100))[0])
    torch.testing.assert_close(model[1].running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(model[1].running_var, seen.var((0, 2, 3)), rtol=1e-4, atol=1e-6)
    assert model.training
    assert model[1].momentum == 0.1


def test_weights_are_left_alone_and_modes_restored(small_parent, small_data):
    model = deepcopy(small_parent)
    reestimate_norms(model, small_data.train, batch_size=30)
    assert not any(module.training for module in model.modules())
    for before, after in zip(small_parent.parameters(), model.parameters(), strict=True):
        assert torch.equal(before, after)


def test_without_norms_the_model_does_not_run(small_data):
    class Never(nn.Module):
        def forward(self, x):
            raise AssertionError

    reestimate_norms(Never(), small_data.train)


def biased(parent):
    """Return a network whose norms hold other statistics than those of the images."""
    model = deepcopy(parent)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean += 0.3
        norm.running_var *= 1.7
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    return model


def test_against_a_parent_nothing_changes_where_no_weight_did(small_parent, small_data):
    parent = biased(small_parent)
    model = deepcopy(parent)
    reestimate_norms(model, small_data.train, parent, images=64, batch_size=32)
    for (name, before), after in zip(
        parent.state_dict().items(), model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(after, before, msg=name)


def test_against_a_parent_statistics_move_as_on_the_images(small_parent, small_data):
    parent = biased(small_parent)
    model = deepcopy(parent)
    with torch.no_grad():
        model[0].weight *= 2
        if model[0].bias is not None:
            model[0].bias *= 2
    reestimate_norms(model, small_data.train, parent, images=100, batch_size=100)
    drawn = np.random.default_rng(0).permutation(len(small_data.train))[:100]
    with torch.no_grad():
        seen = parent[0](small_data.train.batch(drawn)[0])
    torch.testing.assert_close(model[1].running_mean, parent[1].running_mean + seen.mean((0, 2, 3)))
    torch.testing.assert_close(model[1].running_var, 4 * parent[1].running_var)


def test_channels_that_are_left_are_known_by_their_weights(small_parent, small_data):
    parent = biased(small_parent)
    first, norm = parent[0], parent[1]
    order = torch.arange(norm.num_features).flip(0)[1:]
    model = nn.Sequential(deepcopy(first), nn.BatchNorm2d(len(order)))
    model[0].weight = nn.Parameter(first.weight.detach()[order])
    if first.bias is not None:
        model[0].bias = nn.Parameter(first.bias.detach()[order])
    model[1].load_state_dict({k: v[order] if v.ndim else v for k, v in norm.state_dict().items()})
    reestimate_norms(model.eval(), small_data.train, parent, images=64)
    torch.testing.assert_close(model[1].running_mean, norm.running_mean[order])
    torch.testing.assert_close(model[1].running_var, norm.running_var[order])


def test_images_can_be_as_in_training(small_parent, small_data):
    plain, moved = deepcopy(small_parent), deepcopy(small_parent)
    reestimate_norms(plain, small_data.train)
    reestimate_norms(moved, small_data.train, augment="shift")
    assert not torch.allclose(plain[1].running_mean, moved[1].running_mean)
