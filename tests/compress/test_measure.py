from dataclasses import asdict

import torch
from torch import nn

from gossamer.compress.measure import Measurement, measure
from gossamer.nets.create import create_model


def test_counts_by_hand():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), nn.Flatten(2), shared, shared
    ).train()
    with torch.no_grad():
        model[0].weight[0] = 0.0
        model[0].weight[1:] = 0.5
        shared.weight.copy_(torch.eye(4) * torch.tensor([1.0, 2, 3, 3]))
    found = measure(model, torch.zeros(3, 2, 3, 4))
    conv, linear = found.layers
    assert (conv.weights, conv.nonzeros, conv.distinct_values) == (36, 27, 1)
    assert (conv.macs, conv.effective_macs) == (36 * 4, 27 * 4)
    assert (linear.nonzeros, linear.distinct_values) == (4, 3)
    assert (linear.macs, linear.effective_macs) == (32, 8)  # run twice
    assert found.parameters == 36 + 4 + 16 + 4
    assert (found.weights, found.nonzeros) == (52, 31)
    assert found.sparsity == 1 - 31 / 52
    assert found.distinct_values == 3
    assert found.macs == 176
    assert model.training


def test_published_macs():
    # 40.55 M and 28.76 M for the CIFAR networks of depth 20.
    assert (
        round(measure(create_model("regconv-w16-d20"), torch.zeros(1, 3, 32, 32)).macs / 1e4)
        == 4055
    )
    assert (
        round(measure(create_model("igcv1-l24m2-d20"), torch.zeros(1, 3, 32, 32)).macs / 1e4)
        == 2876
    )


def test_a_layer_that_does_not_run_has_no_macs():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle, self.used = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    assert [layer.macs for layer in measure(Idle(), torch.zeros(1, 2)).layers] == [0, 4]


def test_round_trip_and_no_hook_left():
    model = create_model("digits-plain", width=8)
    found = measure(model, torch.zeros(1, 1, 8, 8))
    assert Measurement.from_dict(asdict(found)) == found
    assert not any(module._forward_hooks for module in model.modules())
