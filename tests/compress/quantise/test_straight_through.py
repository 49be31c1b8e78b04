import pytest
import torch
from torch import nn

from gossamer.compress.quantise.straight_through import StraightThrough
from gossamer.train.step import Step


def layer_of(*values):
    layer = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([values]))
    return layer


def train(layer, held, optimiser, target, steps):
    for index in range(steps):
        optimiser.zero_grad()
        (layer(torch.eye(len(target))).flatten() - target).square().sum().backward()
        optimiser.step()
        held(Step(layer, optimiser, index, steps))


def test_small_steps_add_up_behind_the_rounding():
    layer = layer_of(0.0001, 2.3)
    held = StraightThrough({"": layer}, {"": torch.round})
    assert layer.weight.tolist() == [[0.0, 2.0]]
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.01)
    train(layer, held, optimiser, torch.tensor([3.0, -1.0]), 200)
    assert layer.weight.tolist() == [[3.0, -1.0]]


def test_the_gradient_of_the_rounded_weight_moves_the_real_one():
    layer = layer_of(0.4, -1.2)
    held = StraightThrough({"": layer}, {"": torch.round})
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.05)
    real = torch.tensor([0.4, -1.2])
    for index in range(10):
        gradient = 2 * (real.round() - torch.tensor([2.0, 0.5]))
        real = real - 0.05 * gradient
        optimiser.zero_grad()
        (layer(torch.eye(2)).flatten() - torch.tensor([2.0, 0.5])).square().sum().backward()
        optimiser.step()
        held(Step(layer, optimiser, index, 10))
        assert layer.weight.flatten().tolist() == real.round().tolist()


def test_zeros_stay_and_removed_weights_are_forgotten():
    layer = layer_of(0.0, 2.0, 3.0)
    held = StraightThrough({"": layer}, {"": torch.round})
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    train(layer, held, optimiser, torch.tensor([5.0, 2.0, 3.0]), 5)
    assert layer.weight[0, 0] == 0
    with torch.no_grad():
        layer.weight[0, 1] = 0  # what pruning on the way does
    held(Step(layer, optimiser, 0, 1))
    train(layer, held, optimiser, torch.tensor([5.0, 9.0, 3.0]), 5)
    assert layer.weight[0, :2].tolist() == [0.0, 0.0]
    assert layer.weight[0, 2] == 3


def test_begins_with_other_real_weights():
    layer = layer_of(0.4, 0.0)
    StraightThrough({"": layer}, {"": torch.round}, {"": torch.tensor([[0.6, 7.0]])})
    assert layer.weight.tolist() == [[1.0, 0.0]]  # zero was zero in the layer


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad])
def test_with_any_optimiser(make):
    layer = layer_of(0.2, 0.7)
    held = StraightThrough({"": layer}, {"": torch.round})
    train(layer, held, make(layer.parameters(), lr=0.4), torch.tensor([2.0, -2.0]), 150)
    assert layer.weight.tolist() == [[2.0, -2.0]]
