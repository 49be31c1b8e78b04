"""VGG: 3×3 convolutions only, doubled in width after each of the first three poolings.

Source: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
2014, table 1: configurations A, B, C, D, E are depths 11, 13, 16 (with 1×1 convolutions), 16, 19.
The batch norm of the -bn forms came later (Ioffe and Szegedy, 2015), after every convolution; the
convolution keeps its bias there, as in torchvision.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.hidden import hidden_layers
from gossamer.nets.network import Network

_SOURCE = "VGG (Simonyan and Zisserman 2014), ImageNet"
_STAGES = 5
# Kernel sizes of the convolutions of the five stages.
_KERNELS = {
    "11": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "13": ((3, 3),) * 5,
    "16": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "16-c": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "19": ((3, 3), (3, 3), (3,) * 4, (3,) * 4, (3,) * 4),
}


def vgg(
    num_classes: int,
    in_channels: int,
    layout: str = "16",
    norm: bool = False,
    width: int = 64,
    hidden: int = 4096,
    size: int = 224,
) -> nn.Module:
    """Return VGG for (N, C, size, size).

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        layout: "11", "13", "16", "16-c" or "19".
        norm: batch norm between every convolution and its ReLU.
        width: channels of the first stage; the stages have 1, 2, 4, 8 and 8 times as many.
        hidden: width of the two hidden fully connected layers.
        size: H = W of the pictures in pixels, ≥ 32; fixes the first fully connected layer.

    Raises:
        SpecError: if a layout is unknown or a number out of range.
    """
    if layout not in _KERNELS:
        raise SpecError("unknown layout of VGG", got=layout, expected=list(_KERNELS))
    if width < 1 or hidden < 1 or size < 2**_STAGES:
        raise SpecError(
            "too small", got=f"width={width}, hidden={hidden}, size={size}", expected="size ≥ 32"
        )
    stages, channels = nn.Sequential(), in_channels
    for index, kernels in enumerate(_KERNELS[layout]):
        after = width * min(2**index, 8)
        stages.append(_stage(channels, after, kernels, norm))
        channels = after
    head = hidden_layers(channels * (size // 2**_STAGES) ** 2, hidden, num_classes)
    net = nn.Sequential()
    net.add_module("stages", stages)
    net.add_module("flatten", nn.Flatten())
    net.add_module("head", head)
    return net


def _stage(channels: int, width: int, kernels: tuple[int, ...], norm: bool) -> nn.Sequential:
    """Return convolutions of one width, each with a ReLU, and the pooling behind them."""
    stage = nn.Sequential()
    for index, kernel in enumerate(kernels, 1):
        stage.add_module(f"conv{index}", conv2d(channels, width, kernel, bias=True))
        if norm:
            stage.add_module(f"norm{index}", nn.BatchNorm2d(width))
        stage.add_module(f"act{index}", nn.ReLU())
        channels = width
    stage.add_module("pool", nn.MaxPool2d(2))
    return stage


def _record(layout: str, params: int, macs: int, paper: str = "", *, norm: bool = False) -> Network:
    name, form = (f"vgg-{layout}-bn", ", batch norm") if norm else (f"vgg-{layout}", "")
    build = partial(vgg, layout=layout, norm=norm)
    source = _SOURCE + form
    return Network(name, build, (3, 224, 224), 1000, source, params, macs=macs, paper=paper)


VGG_11 = _record("11", 132_863_336, 7_609_090_048, "133 M")
VGG_13 = _record("13", 133_047_848, 11_308_466_176, "133 M")
VGG_16 = _record("16", 138_357_544, 15_470_264_320, "138 M")
VGG_16_C = _record("16-c", 133_638_952, 11_770_888_192, "134 M")
VGG_19 = _record("19", 143_667_240, 19_632_062_464, "144 M")
VGG_11_BN = _record("11", 132_868_840, 7_609_090_048, norm=True)
VGG_13_BN = _record("13", 133_053_736, 11_308_466_176, norm=True)
VGG_16_BN = _record("16", 138_365_992, 15_470_264_320, norm=True)
VGG_19_BN = _record("19", 143_678_248, 19_632_062_464, norm=True)
