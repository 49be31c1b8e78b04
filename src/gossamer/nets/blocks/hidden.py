"""Fully connected layers at the end of a network, as AlexNet and VGG have them."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer, its weight normal with variance 2 / fan-in, its bias zero.

    Examples:
        >>> linear(4, 2).weight.shape
        torch.Size([2, 4])
    """
    layer = nn.Linear(in_features, out_features)
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def hidden_layers(
    in_features: int, hidden: int, num_classes: int, *, dropout: float = 0.5
) -> nn.Sequential:
    """Return twice linear → ReLU → dropout, then a linear layer: (N, F) to (N, num_classes).

    Args:
        in_features: F.
        hidden: width of the two hidden layers.
        num_classes: length of the output.
        dropout: probability of a hidden unit to be dropped in training, 0…1.

    Examples:
        >>> [name for name, _ in hidden_layers(8, 4, 2).named_children()]
        ['fc1', 'act1', 'drop1', 'fc2', 'act2', 'drop2', 'fc3']
    """
    return nn.Sequential(
        OrderedDict(
            fc1=linear(in_features, hidden),
            act1=nn.ReLU(),
            drop1=nn.Dropout(dropout),
            fc2=linear(hidden, hidden),
            act2=nn.ReLU(),
            drop2=nn.Dropout(dropout),
            fc3=linear(hidden, num_classes),
        )
    )
