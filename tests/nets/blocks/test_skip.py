import torch
from torch import nn

from gossamer.nets.blocks.skip import Skip


def test_adds_the_input_or_what_the_shortcut_makes_of_it():
    x = torch.tensor([-3.0, 1.0]).reshape(1, 2, 1, 1)
    double = nn.Conv2d(2, 2, 1, groups=2, bias=False)
    nn.init.constant_(double.weight, 2)
    assert Skip(double)(x).flatten().tolist() == [-9, 3]
    assert Skip(double, nn.ReLU())(x).flatten().tolist() == [-6, 3]
