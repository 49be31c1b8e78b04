from copy import deepcopy

import numpy as np
import pytest
import torch

from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.quantise.ranges import input_levels
from gossamer.errors import PassError
from gossamer.graph.quantise.options import QuantiseOptions


def test_levels_cover_what_is_read(small_parent, small_data):
    model = deepcopy(small_parent)
    layers = match_layers(model, (".*",), (), where="test")
    evidence = Evidence(model, small_data.train, images=40, batch_size=16)
    levels = input_levels(layers, evidence, QuantiseOptions("minmax"))
    assert list(levels) == ["0", "3", "6"]
    pictures = torch.cat([images for images, _ in evidence.batches()])
    with torch.no_grad():
        read = {"0": pictures, "3": model[:3](pictures), "6": model[:6](pictures)}
    for name, op in levels.items():
        low, high = (float(read[name].min()), 0.0), float(read[name].max())
        assert (op.low - op.zero_point) * op.scale == pytest.approx(min(low), abs=op.scale)
        assert (op.high - op.zero_point) * op.scale == pytest.approx(high, abs=op.scale)
    assert levels["3"].zero_point == levels["3"].low  # behind a relu
    for module in model:
        assert not module._forward_pre_hooks


def test_layers_that_do_not_run_have_no_levels(small_data):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = torch.nn.Linear(36, 2), torch.nn.Linear(1, 1)

        def forward(self, x):
            return self.used(x.flatten(1))

    model = Net()
    layers = match_layers(model, (".*",), (), where="test")
    evidence = Evidence(model, small_data.train, images=10)
    assert list(input_levels(layers, evidence, QuantiseOptions())) == ["used"]


def test_what_is_not_finite_is_named(small_parent, small_data):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = np.inf
    layers = match_layers(model, (".*",), (), where="test")
    with pytest.raises(PassError, match="3: reads something that is not finite"):
        input_levels(layers, Evidence(model, small_data.train, images=10), QuantiseOptions())
