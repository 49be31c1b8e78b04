"""AlexNet: with the two towers of the paper, as grouped convolutions, and without.

Five convolutions, local response normalisation after the ReLU of the first two, three overlapping
poolings, three fully connected layers. The pictures are 227×227: the 224 in the paper's text does
not fit its own strides.

Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", 2012. The paper initialises weights with deviation 0.01 and some biases with one; here
they are He normal and zero. PyTorch divides the α of the normalisation by the window's length.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.hidden import hidden_layers
from gossamer.nets.network import Network

_SOURCE = "AlexNet (Krizhevsky et al. 2012), ImageNet"


def alexnet(
    num_classes: int,
    in_channels: int,
    groups: int = 2,
    norm: bool = True,
    hidden: int = 4096,
) -> nn.Module:
    """Return AlexNet for (N, C, 227, 227).

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        groups: of convolutions 2, 4 and 5: 2 for the two towers, 1 for none.
        norm: local response normalisation after convolutions 1 and 2.
        hidden: width of the two hidden fully connected layers.

    Raises:
        SpecError: if the groups are not 1 or 2, or `hidden` is not positive.
    """
    if groups not in (1, 2):
        raise SpecError("AlexNet has one or two towers", got=groups, expected="1 or 2")
    if hidden < 1:
        raise SpecError("hidden must be positive", got=hidden)
    layers = OrderedDict[str, nn.Module](
        conv1=conv2d(in_channels, 96, 11, stride=4, padding=0, bias=True),
        act1=nn.ReLU(),
        norm1=_response_norm(),
        pool1=nn.MaxPool2d(3, 2),
        conv2=conv2d(96, 256, 5, groups=groups, bias=True),
        act2=nn.ReLU(),
        norm2=_response_norm(),
        pool2=nn.MaxPool2d(3, 2),
        conv3=conv2d(256, 384, bias=True),
        act3=nn.ReLU(),
        conv4=conv2d(384, 384, groups=groups, bias=True),
        act4=nn.ReLU(),
        conv5=conv2d(384, 256, groups=groups, bias=True),
        act5=nn.ReLU(),
        pool5=nn.MaxPool2d(3, 2),
        flatten=nn.Flatten(),
        head=hidden_layers(256 * 6 * 6, hidden, num_classes),
    )
    if not norm:
        del layers["norm1"], layers["norm2"]
    return nn.Sequential(layers)


def _response_norm() -> nn.LocalResponseNorm:
    """Return b = a / (2 + 10⁻⁴ · Σ a²)^0.75, the sum over five neighbouring channels."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


ALEXNET = Network(
    "alexnet",
    alexnet,
    (3, 227, 227),
    1000,
    _SOURCE,
    60_965_224,
    macs=724_406_816,
    paper="60 M",
)
UNGROUPED = Network(
    "alexnet-ungrouped",
    partial(alexnet, groups=1),
    (3, 227, 227),
    1000,
    _SOURCE + ", without towers",
    62_378_344,
    macs=1_135_256_096,
)
