"""The networks of the IGCV1 paper: plain and with identity shortcuts, for CIFAR and ImageNet.

CIFAR, depth D: a 3×3 stem, three stages at widths w, 2w, 4w, the last two beginning with stride 2,
global average pool, linear layer. A stage has (D − 2)/3 blocks or, with identity shortcuts,
(D − 2)/6 units of two blocks. In the interleaved networks w = L·M, L stays fixed and M doubles
from stage to stage. A block counts as one layer of the depth.

ImageNet, 18 layers: a 7×7 stem with stride 2, max pool, four stages of two units.

Source: Zhang, Qi, Xiao, Wang, "Interleaved Group Convolutions for Deep Neural Networks", 2017,
tables 1, 2, 5, 6. The norms keep PyTorch's epsilon 1e-5 where the authors used 2e-5. The paper
prints 19.3 M for L450M2 where the definition gives 19.06 M; and in its ImageNet table 11.205 M for
L4M32, which is the convolutions alone, and 11.329 M for L16M16, which no reading gives (11.44 M of
convolutions, 13.53 M in all).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.igc import igc_block, igc_unit
from gossamer.nets.blocks.residual import basic
from gossamer.nets.network import Network

_PLAIN = "IGCV1 (Zhang et al. 2017), CIFAR, plain"
_IDENTITY = "IGCV1 (Zhang et al. 2017), CIFAR, with identity shortcuts"
_IMAGENET = "IGCV1 (Zhang et al. 2017), ImageNet, with identity shortcuts"


def _three_stages(
    num_classes: int,
    in_channels: int,
    width: int,
    depth: int,
    block: Callable[..., nn.Module],
    layers_a_block: int,
) -> nn.Module:
    blocks_a_stage, rest = divmod(depth - 2, 3 * layers_a_block)
    if blocks_a_stage < 1 or rest:
        raise SpecError(f"the depth must be {3 * layers_a_block}·B + 2 with B ≥ 1", got=depth)
    widths = [width * 2**stage for stage in range(3) for _ in range(blocks_a_stage)]
    blocks = [
        block(before, after, stride=after // before)
        for before, after in zip([width, *widths], widths, strict=False)
    ]
    return classifier_chain(conv_norm_act(in_channels, width), blocks, widths[-1], num_classes)


def regular(
    num_classes: int,
    in_channels: int,
    width: int = 16,
    depth: int = 20,
    identity: bool = False,
) -> nn.Module:
    """Return RegConv-W, the same network with dense 3×3 convolutions.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width: of the first stage.
        depth: 3·B + 2, or 6·B + 2 with shortcuts.
        identity: whether there are identity shortcuts (1×1 convolutions where the width changes).

    Raises:
        SpecError: if the depth does not fit.
    """
    block = basic if identity else conv_norm_act
    return _three_stages(num_classes, in_channels, width, depth, block, 1 + identity)


def interleaved(
    num_classes: int,
    in_channels: int,
    primary: int = 24,
    secondary: int = 2,
    depth: int = 20,
    identity: bool = False,
) -> nn.Module:
    """Return IGC-L{primary}M{secondary}.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        primary: L, groups of the 3×3 convolutions.
        secondary: M of the first stage, groups of the 1×1 convolutions.
        depth: 3·B + 2, or 6·B + 2 with shortcuts.
        identity: whether there are identity shortcuts (grouped 1×1 convolutions where the width
            changes).

    Raises:
        SpecError: if the depth does not fit.
    """
    block = partial(igc_unit if identity else igc_block, primary_groups=primary)
    return _three_stages(num_classes, in_channels, primary * secondary, depth, block, 1 + identity)


def imagenet(
    num_classes: int,
    in_channels: int,
    primary: int = 100,
    secondary: int = 2,
    doubling: str = "primary",
    stem: int | None = None,
) -> nn.Module:
    """Return the 18-layer network for 224×224 images.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        primary: L of the first stage.
        secondary: M of the first stage.
        doubling: which of the two doubles from stage to stage, "primary" or "secondary".
        stem: width of the 7×7 convolution; L·M unless given.

    Raises:
        SpecError: if `doubling` is neither.
    """
    if doubling not in ("primary", "secondary"):
        raise SpecError("unknown doubling", got=doubling, expected=["primary", "secondary"])
    before = primary * secondary if stem is None else stem
    first = nn.Sequential(
        OrderedDict(
            conv=conv_norm_act(in_channels, before, 7, stride=2), pool=nn.MaxPool2d(3, 2, 1)
        )
    )
    units: list[nn.Module] = []
    for stage in range(4):
        after = primary * secondary * 2**stage
        groups = primary * 2**stage if doubling == "primary" else primary
        units.append(igc_unit(before, after, groups, stride=1 if stage == 0 else 2))
        units.append(igc_unit(after, after, groups))
        before = after
    return classifier_chain(first, units, before, num_classes)


def _regular(
    width: int, depth: int, params: int, macs: int, paper: str = "", identity: bool = False
) -> Network:
    return Network(
        f"regconv-w{width}-d{depth}" + "-identity" * identity,
        partial(regular, width=width, depth=depth, identity=identity),
        (3, 32, 32),
        10,
        _IDENTITY if identity else _PLAIN,
        params,
        macs=macs,
        paper=paper,
        smallest=4,
    )


def _interleaved(
    primary: int,
    secondary: int,
    depth: int,
    params: int,
    macs: int,
    paper: str = "",
    identity: bool = False,
) -> Network:
    return Network(
        f"igcv1-l{primary}m{secondary}-d{depth}" + "-identity" * identity,
        partial(interleaved, primary=primary, secondary=secondary, depth=depth, identity=identity),
        (3, 32, 32),
        10,
        _IDENTITY if identity else _PLAIN,
        params,
        macs=macs,
        paper=paper,
        smallest=4,
    )


def _imagenet(name: str, params: int, macs: int, paper: str, **options: int | str) -> Network:
    return Network(
        name,
        partial(imagenet, **options),
        (3, 224, 224),
        1000,
        _IMAGENET,
        params,
        macs=macs,
        paper=paper,
        smallest=32,
    )


REGCONV_W16_D20 = _regular(16, 20, 269_722, 40_551_040)
REGCONV_W18_D20 = _regular(18, 20, 341_020, 51_260_112, "0.34 M, 0.51e8 MACs")
REGCONV_W18_D38 = _regular(18, 38, 709_948, 105_007_824, "0.71 M, 1.1e8 MACs")
REGCONV_W18_D62 = _regular(18, 62, 1_201_852, 176_671_440, "1.20 M, 1.7e8 MACs")
REGCONV_W16_D50_ID = _regular(16, 50, 758_554, 111_592_064, identity=True)
REGCONV_W16_D74_ID = _regular(16, 74, 1_147_418, 168_215_168, identity=True)
REGCONV_W16_D98_ID = _regular(16, 98, 1_536_282, 224_838_272, identity=True)
REGCONV_W18_D50_ID = _regular(18, 50, 959_356, 141_171_408, identity=True)
REGCONV_W18_D74_ID = _regular(18, 74, 1_451_260, 212_835_024, identity=True)
REGCONV_W18_D98_ID = _regular(18, 98, 1_943_164, 284_498_640, identity=True)

L24M2_D20 = _interleaved(24, 2, 20, 155_962, 28_755_840, "0.15 M, 0.29e8 MACs")
L24M2_D38 = _interleaved(24, 2, 38, 317_242, 57_067_392, "0.31 M, 0.57e8 MACs")
L24M2_D62 = _interleaved(24, 2, 62, 532_282, 94_816_128, "0.52 M, 0.95e8 MACs")
L4M8_D20 = _interleaved(4, 8, 20, 277_546, 42_370_304)
L4M8_D38 = _interleaved(4, 8, 38, 575_914, 86_213_888)
L4M8_D62 = _interleaved(4, 8, 62, 973_738, 144_672_000)
L24M2_D50_ID = _interleaved(24, 2, 50, 426_298, 76_040_064, identity=True)
L24M2_D74_ID = _interleaved(24, 2, 74, 641_338, 113_788_800, identity=True)
L24M2_D98_ID = _interleaved(24, 2, 98, 856_378, 151_537_536, identity=True)
L16M32_D20_ID = _interleaved(16, 32, 20, 17_697_290, 2_685_947_904, "17.7 M", identity=True)
L32M26_D20_ID = _interleaved(32, 26, 20, 24_055_626, 3_720_577_536, "24.1 M", identity=True)
L450M2_D20_ID = _interleaved(450, 2, 20, 19_055_710, 4_663_332_000, "19.3 M", identity=True)

L100M2_IMAGENET = _imagenet(
    "igcv1-l100m2-imagenet",
    8_637_900,
    1_264_780_800,
    "8.61 M, 1.3e9 MACs",
    primary=100,
    secondary=2,
    doubling="primary",
    stem=100,
)
L4M32_IMAGENET = _imagenet(
    "igcv1-l4m32-imagenet",
    12_251_240,
    1_944_641_536,
    "11.205 M, 1.9e9 MACs",
    primary=4,
    secondary=32,
    doubling="secondary",
)
L16M16_IMAGENET = _imagenet(
    "igcv1-l16m16-imagenet",
    13_528_296,
    2_265_989_120,
    "11.329 M, 2.2e9 MACs",
    primary=16,
    secondary=16,
    doubling="secondary",
)
