"""Xception: residual modules of depthwise-separable convolutions.

Entry flow: two 3×3 convolutions without padding, then three modules that halve the size; middle
flow: eight modules at 728 channels; exit flow: one more halving module and two wide separable
convolutions; global average pool, dropout, linear layer.

Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017, figure 5.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.separable import separable_conv
from gossamer.nets.blocks.skip import Skip
from gossamer.nets.network import Network


def _act_separable_norm(
    widths: tuple[int, ...], *, leading_act: bool = True
) -> OrderedDict[str, nn.Module]:
    """Return ReLU → separable convolution → norm for each step from width to width."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (before, after) in enumerate(pairwise(widths), 1):
        if leading_act or i > 1:
            layers[f"act{i}"] = nn.ReLU()
        layers[f"separable{i}"] = separable_conv(before, after)
        layers[f"norm{i}"] = nn.BatchNorm2d(after)
    return layers


def _halving(widths: tuple[int, ...], *, leading_act: bool = True) -> nn.Module:
    layers = _act_separable_norm(widths, leading_act=leading_act)
    layers["pool"] = nn.MaxPool2d(3, 2, 1)
    return Skip(nn.Sequential(layers), conv_norm_act(widths[0], widths[-1], 1, stride=2, act=None))


def _wide(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            separable=separable_conv(before, after), norm=nn.BatchNorm2d(after), act=nn.ReLU()
        )
    )


def xception(
    num_classes: int, in_channels: int, middle: int = 8, dropout: float = 0.5
) -> nn.Module:
    """Return Xception.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        middle: modules of the middle flow, ≥ 0.
        dropout: probability before the linear layer, in 0…1.

    Raises:
        SpecError: if an option is out of range.
    """
    if middle < 0 or not 0 <= dropout <= 1:
        raise SpecError("out of range", got=f"middle {middle}, dropout {dropout}")
    stem = nn.Sequential(
        OrderedDict(
            conv1=conv_norm_act(in_channels, 32, stride=2, padding=0),
            conv2=conv_norm_act(32, 64, padding=0),
        )
    )
    entry = nn.Sequential(
        _halving((64, 128, 128), leading_act=False),
        _halving((128, 256, 256)),
        _halving((256, 728, 728)),
    )
    centre = [Skip(nn.Sequential(_act_separable_norm((728,) * 4))) for _ in range(middle)]
    end = nn.Sequential(_halving((728, 728, 1024)), _wide(1024, 1536), _wide(1536, 2048))
    return nn.Sequential(
        OrderedDict(
            stem=stem,
            entry=entry,
            middle=nn.Sequential(*centre),
            exit=end,
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            head=nn.Linear(2048, num_classes),
        )
    )


XCEPTION = Network(
    "xception",
    xception,
    (3, 299, 299),
    1000,
    "Xception (Chollet 2017)",
    22_855_952,
    8_357_403_496,
    "22,855,952",
    smallest=7,
)
