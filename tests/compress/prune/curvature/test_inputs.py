import pytest
import torch
from torch import nn

from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.curvature import collect
from gossamer.compress.prune.curvature.inputs import input_quadratics, seen_inputs
from gossamer.compress.quantise.layers import read_signs, round_input
from gossamer.graph.ops import Quantise

LAYERS = [
    nn.Conv2d(4, 6, 3, padding=1, bias=False),
    nn.Conv2d(4, 6, (3, 2), stride=2, padding=(0, 1), groups=2, bias=False),
    nn.Conv2d(4, 4, 3, dilation=2, groups=4, bias=False),
    nn.Conv2d(4, 2, 3, padding="same", bias=False),
    nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect", bias=False),
    nn.Linear(4, 3, bias=False),
    nn.Conv2d(4, 6, 3, padding=1, bias=False),
    nn.Linear(4, 3, bias=False),
]
round_input(LAYERS[-2], Quantise(0.5, 0, -2, 2))
read_signs(LAYERS[-1])


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_is_its_weight_times_what_it_sees(layer):
    generator = torch.Generator().manual_seed(0)
    linear = isinstance(layer, nn.Linear)
    x = torch.randn((5, 4) if linear else (5, 4, 9, 8), generator=generator)
    groups = getattr(layer, "groups", 1)
    weight = layer.weight.detach().flatten(1).view(groups, -1, layer.weight[0].numel())
    found = weight @ seen_inputs(layer, x)
    y = layer(x).detach()
    expected = y.T if linear else y.transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.flatten(0, 1), expected, rtol=1e-4, atol=1e-5)


def test_the_quadratic_is_the_error_of_the_outputs(small_parent, small_data, monkeypatch):
    monkeypatch.setattr(collect, "MEMORY_BYTES", 1)  # every layer in a walk of its own
    evidence = Evidence(small_parent, small_data.train, images=30, batch_size=7)
    layers = {"0": small_parent[0], "3": small_parent[3], "6": small_parent[6]}
    found = dict(input_quadratics(layers, evidence, damping=0))
    assert list(found) == list(layers)
    images = torch.cat([x for x, _ in evidence.batches()])
    seen = {"0": images, "3": small_parent[:3](images), "6": small_parent[:6](images)}
    for name, layer in layers.items():
        mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(1)) > 0.3
        if name == "6":  # inputs that are always zero have a curvature all the same
            mask[:, seen[name].abs().sum(0) == 0] = True
        changed = torch.func.functional_call(layer, {"weight": layer.weight * mask}, (seen[name],))
        error = (changed - layer(seen[name])).square().sum().item() / 30
        assert found[name].loss((layer.weight * mask).detach()) == pytest.approx(error, rel=1e-4)


def test_modes_and_hooks_are_as_before(small_parent, small_data):
    small_parent.train()
    try:
        list(input_quadratics({"0": small_parent[0]}, Evidence(small_parent, small_data.train, 8)))
        assert all(module.training for module in small_parent.modules())
    finally:
        small_parent.eval()
    assert not small_parent[0]._forward_pre_hooks
