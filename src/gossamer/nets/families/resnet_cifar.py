"""ResNets for CIFAR: three stages of 16, 32 and 64 channels, 20 to 1202 layers.

Depth 6·n + 2 with n basic units a stage, or 9·n + 2 with n bottlenecks. The paper's networks have
option A shortcuts (no parameters); other toolkits count option B, 2,752 parameters more. The
pre-activation form moves norm and ReLU before the convolutions; its authors have bottlenecks there.

Sources: He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2; He et al.,
"Identity Mappings in Deep Residual Networks", 2016.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv2d, conv_norm_act
from gossamer.nets.blocks.residual import EXPANSION, basic, bottleneck
from gossamer.nets.network import Network

_SOURCE = "ResNet (He et al. 2015), CIFAR"
_PRE_SOURCE = "pre-activation ResNet (He et al. 2016), CIFAR"
_STAGES = 3


def resnet(
    num_classes: int,
    in_channels: int,
    depth: int = 20,
    option: str = "A",
    pre_activation: bool = False,
    bottlenecks: bool = False,
    width: int = 16,
) -> nn.Module:
    """Return a CIFAR ResNet; pictures may have any size.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        depth: 6·n + 2, with bottlenecks 9·n + 2, n ≥ 1.
        option: of the shortcuts that change width or size: "A" or "B".
        pre_activation: norm and ReLU before the convolutions.
        bottlenecks: units of 1×1, 3×3, 1×1 instead of two 3×3.
        width: of the 3×3 convolutions of the first stage, doubled from stage to stage.

    Raises:
        SpecError: if the depth does not fit, the option is unknown or the width not positive.
    """
    layers, unit, factor = (9, bottleneck, EXPANSION) if bottlenecks else (6, basic, 1)
    if depth <= 2 or depth % layers != 2 or width < 1:
        raise SpecError(
            f"the depth must be {layers}·n + 2 with n ≥ 1, the width positive",
            got=f"depth={depth}, width={width}",
        )
    blocks, channels = list[nn.Module](), width
    for stage in range(_STAGES):
        for index in range((depth - 2) // layers):
            blocks.append(
                unit(
                    channels,
                    width * 2**stage,
                    stride=2 if stage and not index else 1,
                    option=option,
                    pre_activation=pre_activation,
                )
            )
            channels = factor * width * 2**stage
    if not pre_activation:
        return classifier_chain(conv_norm_act(in_channels, width), blocks, channels, num_classes)
    blocks.append(nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(channels), act=nn.ReLU())))
    return classifier_chain(conv2d(in_channels, width), blocks, channels, num_classes)


def _record(depth: int, params: int, macs: int, paper: str = "") -> Network:
    build, name = partial(resnet, depth=depth), f"resnet-{depth}-cifar"
    return Network(
        name, build, (3, 32, 32), 10, _SOURCE, params, macs=macs, paper=paper, smallest=4
    )


def _pre_activated(depth: int, params: int, macs: int, paper: str = "") -> Network:
    build = partial(resnet, depth=depth, option="B", pre_activation=True, bottlenecks=True)
    name = f"preresnet-{depth}-cifar"
    return Network(
        name, build, (3, 32, 32), 10, _PRE_SOURCE, params, macs=macs, paper=paper, smallest=4
    )


RESNET_20 = _record(20, 269_722, 40_551_040, "0.27 M")
RESNET_32 = _record(32, 464_154, 68_862_592, "0.46 M")
RESNET_44 = _record(44, 658_586, 97_174_144, "0.66 M")
RESNET_56 = _record(56, 853_018, 125_485_696, "0.85 M")
RESNET_110 = _record(110, 1_727_962, 252_887_680, "1.7 M")
RESNET_1202 = _record(1202, 19_421_274, 2_829_238_912, "19.4 M")
PRERESNET_164 = _pre_activated(164, 1_703_258, 247_646_720, "1.7 M")
PRERESNET_1001 = _pre_activated(1001, 10_327_706, 1_490_995_712, "10.2 M")
