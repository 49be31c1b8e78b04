from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.norms import likely_augment, reestimate_norms


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


@pytest.mark.parametrize("augment", ["none", "crop-mirror"])
def test_norms_tell_what_was_done_to_the_images(small_parent, small_data, augment):
    model = deepcopy(small_parent)
    reestimate_norms(model, small_data.train, augment=augment, seed=1)
    before = deepcopy(model.state_dict())
    assert likely_augment(model, small_data.train) == augment
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_images_can_be_as_in_training(small_parent, small_data):
    plain, moved = deepcopy(small_parent), deepcopy(small_parent)
    reestimate_norms(plain, small_data.train)
    reestimate_norms(moved, small_data.train, augment="shift")
    assert not torch.allclose(plain[1].running_mean, moved[1].running_mean)


def test_without_norms_nothing_is_told(small_data):
    assert likely_augment(nn.Linear(2, 2), small_data.train) == "none"
