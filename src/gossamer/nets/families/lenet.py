"""LeNet-300-100 and LeNet-5, the two networks that papers on compression begin with.

Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998. LeNet-5 is
the form that came with Caffe (20 and 50 maps, max pooling, no activation between convolution and
pooling, ReLU after the hidden layer), which Han et al., "Deep Compression", 2016, and their
successors mean by the name. Pixels are (1, 28, 28), as MNIST has them.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.hidden import linear
from gossamer.nets.network import Network

_SOURCE = "LeNet (LeCun et al. 1998), MNIST"
_SIZE = 28


def lenet_300_100(num_classes: int, in_channels: int) -> nn.Module:
    """Return 28·28·C → 300 → 100 → classes, with ReLU between them."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=linear(in_channels * _SIZE**2, 300),
            act1=nn.ReLU(),
            fc2=linear(300, 100),
            act2=nn.ReLU(),
            fc3=linear(100, num_classes),
        )
    )


def lenet_5(num_classes: int, in_channels: int) -> nn.Module:
    """Return conv 5×5 (20) → pool → conv 5×5 (50) → pool → 500 → classes, without padding."""
    return nn.Sequential(
        OrderedDict(
            conv1=conv2d(in_channels, 20, 5, padding=0, bias=True),
            pool1=nn.MaxPool2d(2),
            conv2=conv2d(20, 50, 5, padding=0, bias=True),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=linear(50 * 4 * 4, 500),
            act1=nn.ReLU(),
            fc2=linear(500, num_classes),
        )
    )


LENET_300_100 = Network(
    "lenet-300-100",
    lenet_300_100,
    (1, _SIZE, _SIZE),
    10,
    _SOURCE,
    266_610,
    macs=266_200,
    paper="267 K (Han et al.)",
)
LENET_5 = Network(
    "lenet-5",
    lenet_5,
    (1, _SIZE, _SIZE),
    10,
    _SOURCE + ", Caffe form",
    431_080,
    macs=2_293_000,
    paper="431 K (Han et al.)",
)
