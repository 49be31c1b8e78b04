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
