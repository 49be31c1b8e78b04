"""Highway-19: nineteen layers, fourteen of them gated, for CIFAR.

A convolution opens each of three parts, highway layers of its width follow, max pooling and dropout
stand between them, and a 1×1 convolution with 100 maps goes before the global average pool.

Source: Srivastava, Greff, Schmidhuber, "Highway Networks", 2015, and the network file that the
authors published for CIFAR-10.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv_act
from gossamer.nets.blocks.highway import Highway
from gossamer.nets.network import Network

_LAST = 100


def highway(
    num_classes: int,
    in_channels: int,
    widths: Sequence[int] = (32, 80, 128),
    depths: Sequence[int] = (4, 5, 5),
    gate_bias: float = -2.0,
    dropout: float = 0.2,
) -> nn.Module:
    """Return a highway network from (N, C, H, W), H and W a power of two or more per part.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        widths: channels of the parts.
        depths: highway layers of the parts.
        gate_bias: initial bias of the gates.
        dropout: probability of an activation to be dropped in training, at the input and after
            each part.

    Raises:
        SpecError: if widths and depths do not describe the same parts.
    """
    if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
        raise SpecError("one positive width and depth a part", got=(widths, depths))
    layers, channels = OrderedDict[str, nn.Module](drop0=nn.Dropout(dropout)), in_channels
    for part, (width, depth) in enumerate(zip(widths, depths, strict=True), 1):
        if part > 1:
            layers[f"pool{part - 1}"] = nn.MaxPool2d(2)
            layers[f"drop{part - 1}"] = nn.Dropout(dropout)
        layers[f"part{part}"] = _part(channels, width, depth, gate_bias)
        channels = width
    layers["mix"] = conv_act(channels, _LAST, 1)
    layers["pool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["drop"], layers["head"] = nn.Dropout(dropout), nn.Linear(_LAST, num_classes)
    return nn.Sequential(layers)


def _part(in_channels: int, width: int, depth: int, gate_bias: float) -> nn.Sequential:
    """Return a convolution to the width, with ReLU, and the highway layers behind it."""
    layers = OrderedDict[str, nn.Module](open=conv_act(in_channels, width))
    for index in range(1, depth + 1):
        layers[f"highway{index}"] = Highway(width, gate_bias=gate_bias)
    return nn.Sequential(layers)


HIGHWAY_19 = Network(
    "highway-19-cifar",
    highway,
    (3, 32, 32),
    10,
    "Highway networks (Srivastava et al. 2015), CIFAR",
    2_256_838,
    macs=330_826_728,
    paper="2.3 M",
    smallest=4,
)
