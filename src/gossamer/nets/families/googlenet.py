"""GoogLeNet: nine Inception modules, with two auxiliary heads that train the early ones.

Three forms are in circulation:

- *original*: biases, ReLU, local response normalisation in the stem, as published;
- *norm*: the same with batch norm after every convolution, and without the response normalisation;
- *torchvision*: batch norm, a 3×3 in the place of the 5×5, 2×2 for the last max pooling, norms with
  ε = 10⁻³ and auxiliary heads that pool to 4×4 whatever the size. The 3×3 is a known slip, kept for
  the sake of the trained weights, which want pictures normalised by mean 0.5 and deviation 0.5.

The paper prints per-layer parameters that do not fit its own widths (2.7 K for the first
convolution, which has 9,472 with biases); the counts here are computed.

Source: Szegedy et al., "Going Deeper with Convolutions", 2014, table 1.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv_act, conv_norm_act
from gossamer.nets.blocks.hidden import linear
from gossamer.nets.blocks.inception import Inception, InceptionWidths
from gossamer.nets.network import Network

_SOURCE = "GoogLeNet (Szegedy et al. 2014), ImageNet"
_STEM_WIDTH = 192
_MODULES = {
    "3a": InceptionWidths(64, 96, 128, 16, 32, 32),
    "3b": InceptionWidths(128, 128, 192, 32, 96, 64),
    "4a": InceptionWidths(192, 96, 208, 16, 48, 64),
    "4b": InceptionWidths(160, 112, 224, 24, 64, 64),
    "4c": InceptionWidths(128, 128, 256, 24, 64, 64),
    "4d": InceptionWidths(112, 144, 288, 32, 64, 64),
    "4e": InceptionWidths(256, 160, 320, 32, 128, 128),
    "5a": InceptionWidths(256, 160, 320, 32, 128, 128),
    "5b": InceptionWidths(384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True)
class _Form:
    """What differs between the forms."""

    norm: bool
    large: str
    last_pool: int
    epsilon: float
    any_size: bool


_FORMS = {
    "original": _Form(norm=False, large="5x5", last_pool=3, epsilon=1e-5, any_size=False),
    "norm": _Form(norm=True, large="5x5", last_pool=3, epsilon=1e-5, any_size=False),
    "torchvision": _Form(norm=True, large="3x3", last_pool=2, epsilon=1e-3, any_size=True),
}


class GoogLeNet(nn.Module):
    """Logits for (N, C, 224, 224); in training mode (logits, auxiliary 1, auxiliary 2).

    The paper weighs the loss of each auxiliary head 0.3. Without auxiliary heads, or in evaluation
    mode, other sizes from 32 pixels on work too.

    Args:
        num_classes: length of the outputs.
        in_channels: C of the input.
        form: "original", "norm" or "torchvision".
        auxiliary: with the two auxiliary heads.
        dropout: before the last layer, 0…1.

    Raises:
        SpecError: if the form is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        form: str = "original",
        auxiliary: bool = True,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        if form not in _FORMS:
            raise SpecError("unknown form of GoogLeNet", got=form, expected=list(_FORMS))
        chosen = _FORMS[form]
        self.stem = _stem(in_channels, chosen)
        self.early = _modules(_STEM_WIDTH, ("3a", "3b", "pool3", "4a"), chosen)
        self.middle = _modules(_MODULES["4a"].total, ("4b", "4c", "4d"), chosen)
        self.late = _modules(_MODULES["4d"].total, ("4e", "pool4", "5a", "5b"), chosen)
        self.auxiliary = nn.ModuleList(
            _auxiliary_head(_MODULES[name].total, num_classes, chosen)
            for name in ("4a", "4d")
            if auxiliary
        )
        self.head = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                drop=nn.Dropout(dropout),
                fc=nn.Linear(_MODULES["5b"].total, num_classes),
            )
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = chosen.epsilon

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return logits (N, num_classes), in training mode those of the auxiliary heads too."""
        first = self.early(self.stem(x))
        second = self.middle(first)
        logits = self.head(self.late(second))
        if not (self.training and len(self.auxiliary)):
            return logits
        heads = zip(self.auxiliary, (first, second), strict=True)
        return logits, *(head(features) for head, features in heads)


def _stem(in_channels: int, form: _Form) -> nn.Sequential:
    conv = conv_norm_act if form.norm else conv_act
    layers = OrderedDict[str, nn.Module](
        conv1=conv(in_channels, 64, 7, stride=2),
        pool1=_halving(3),
        norm1=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
        conv2=conv(64, 64, 1),
        conv3=conv(64, _STEM_WIDTH),
        norm2=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
        pool2=_halving(3),
    )
    if form.norm:
        del layers["norm1"], layers["norm2"]
    return nn.Sequential(layers)


def _modules(in_channels: int, names: tuple[str, ...], form: _Form) -> nn.Sequential:
    """Return the named Inception modules and poolings in a row."""
    layers = OrderedDict[str, nn.Module]()
    for name in names:
        if name not in _MODULES:
            layers[name] = _halving(3 if name == "pool3" else form.last_pool)
            continue
        layers[f"inception{name}"] = Inception(
            in_channels, _MODULES[name], large=form.large, norm=form.norm
        )
        in_channels = _MODULES[name].total
    return nn.Sequential(layers)


def _halving(kernel: int) -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


def _auxiliary_head(in_channels: int, num_classes: int, form: _Form) -> nn.Sequential:
    conv = conv_norm_act if form.norm else conv_act
    return nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(4) if form.any_size else nn.AvgPool2d(5, 3),
            conv=conv(in_channels, 128, 1),
            flatten=nn.Flatten(),
            fc1=linear(128 * 4 * 4, 1024),
            act1=nn.ReLU(),
            drop1=nn.Dropout(0.7),
            fc2=nn.Linear(1024, num_classes),
        )
    )


def _record(name: str, form: str, params: int, macs: int, paper: str = "") -> Network:
    return Network(
        name,
        partial(GoogLeNet, form=form),
        (3, 224, 224),
        1000,
        f"{_SOURCE}, {form} form",
        params,
        macs=macs,
        paper=paper,
        smallest=32 if _FORMS[form].any_size else None,
    )


GOOGLENET = _record("googlenet", "original", 13_378_280, 1_582_671_872, "1.5 G MACs")
GOOGLENET_BN = _record("googlenet-bn", "norm", 13_385_816, 1_582_671_872)
GOOGLENET_TORCHVISION = _record(
    "googlenet-torchvision", "torchvision", 13_004_888, 1_498_376_192, "6,624,904 without heads"
)
