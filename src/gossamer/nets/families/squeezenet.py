"""SqueezeNet 1.0 and 1.1: fire modules, and a 1×1 convolution as classifier.

Version 1.0 begins with a 7×7 convolution of 96 channels and pools after the 1st, 4th and 8th
layer; version 1.1 begins with a 3×3 one of 64 channels and pools earlier, after the 1st, 3rd and
5th layer, which takes 2.4 times fewer MACs.

Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016,
table 1 and the authors' release of version 1.1. There are no norms. Pools round the size up; the
sizes that the paper prints for 224×224 images are those of 227×227.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.fire import Fire
from gossamer.nets.network import Network

_SOURCE = "SqueezeNet (Iandola et al. 2016)"

# Squeeze width of the eight fire modules; each of their two branches has four times as much.
_SQUEEZE = (16, 16, 32, 32, 48, 48, 64, 64)
# Of each version: width, kernel and fire modules (counted from 1) that come before a pool.
_VERSIONS = {"1.0": (96, 7, (3, 7)), "1.1": (64, 3, (2, 4))}


def squeezenet(
    num_classes: int, in_channels: int, version: str = "1.1", dropout: float = 0.5
) -> nn.Module:
    """Return SqueezeNet.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        version: "1.0" or "1.1".
        dropout: probability before the classifier, in 0…1.

    Raises:
        SpecError: if an option is out of range.
    """
    if version not in _VERSIONS or not 0 <= dropout <= 1:
        raise SpecError("out of range", got=f"version {version!r}, dropout {dropout}")
    width, kernel, pools = _VERSIONS[version]
    features: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv2d(in_channels, width, kernel, stride=2, padding=0, bias=True),
        act1=nn.ReLU(),
        pool1=_pool(),
    )
    for i, squeeze in enumerate(_SQUEEZE, 1):
        features[f"fire{i + 1}"] = Fire(width, squeeze, 4 * squeeze, 4 * squeeze)
        width = 8 * squeeze
        if i in pools:
            features[f"pool{i + 1}"] = _pool()
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(features),
            dropout=nn.Dropout(dropout),
            head=conv2d(width, num_classes, 1, bias=True),
            act=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
        )
    )


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def _network(version: str, params: int, macs: int) -> Network:
    build = partial(squeezenet, version=version)
    paper = "1,248,424" if version == "1.0" else ""
    return Network(
        f"squeezenet-{version}",
        build,
        (3, 224, 224),
        1000,
        _SOURCE,
        params,
        macs,
        paper,
        smallest=21 if version == "1.0" else 17,
    )


V1_0 = _network("1.0", 1_248_424, 818_924_576)
V1_1 = _network("1.1", 1_235_496, 349_151_936)
