import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from gossamer.compress.factor.target import find_targets
from gossamer.compress.layers import match_layers
from gossamer.compress.quantise.layers import read_signs, round_input
from gossamer.graph.ops import Quantise


class Odd(nn.Module):
    """A network of layers that cannot be replaced, and of two that can."""

    def __init__(self) -> None:
        super().__init__()
        self.good = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.again = self.twice
        self.tied, self.other = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.other.weight = self.tied.weight
        self.read, self.asked = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.normed = parametrizations.weight_norm(nn.Conv2d(4, 4, 1))
        self.idle, self.dead = nn.Linear(2, 2), nn.Conv2d(4, 4, 1)
        nn.init.zeros_(self.dead.weight)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.again(self.twice(self.good(x)))
        x = self.dead(x) + self.normed(self.other(self.tied(x)))
        x = F.conv2d(x, self.read.weight)
        x = self.asked(x)[:, : self.asked.out_channels]
        return self.head(x.mean((2, 3)))


def test_each_layer_has_its_reason():
    model = Odd().train()
    layers = match_layers(model, (".*",), (), where="test")
    targets, reasons = find_targets(model, layers, torch.zeros(2, 2, 9, 8))
    assert model.training
    assert list(targets) == ["good", "twice", "head"]
    assert targets["good"].sizes == ((9, 8),)
    assert targets["good"].places == 5 * 4
    assert targets["twice"].sizes == ((5, 4), (5, 4))
    assert targets["twice"].places == 2 * 5 * 4
    assert targets["head"].places == 1
    assert reasons == {
        "tied": "another layer has the same weight",
        "other": "another layer has the same weight",
        "read": "it does not run",
        "asked": "its module reads more of it than its outputs",
        "normed": "it is a ParametrizedConv2d",
        "idle": "it does not run",
        "dead": "all its weights are zero",
    }
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_layers_of_levels_are_taken_and_layers_of_signs_are_not():
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1))
    round_input(model[0], Quantise(0.5, 0, 0, 255))
    read_signs(model[1])
    layers = match_layers(model, (".*",), (), where="test")
    targets, reasons = find_targets(model, layers, torch.zeros(1, 2, 3, 3))
    assert {name: target.levels for name, target in targets.items()} == {
        "0": Quantise(0.5, 0, 0, 255),
        "2": None,
    }
    assert reasons == {"1": "it is a SignConv2d"}


def test_a_network_of_one_layer_is_left_alone():
    model = nn.Linear(3, 2)
    _, reasons = find_targets(model, {"": model}, torch.zeros(1, 3))
    assert reasons == {"": "it is the whole network"}


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 3)])
def test_a_linear_layer_counts_positions(shape):
    model = nn.Sequential(nn.Linear(3, 2))
    targets, _ = find_targets(model, {"0": model[0]}, torch.zeros(shape))
    assert targets["0"].places == (5 if len(shape) == 3 else 1)
