"""Residual units: basic, bottleneck, pre-activation, with shortcuts of option A and B.

A unit adds its input to what its body makes of it. Where the body changes width or size, the
shortcut does too: option A takes every stride-th place and fills up with zero channels, without
parameters; option B is a 1×1 convolution.

Sources: He et al., "Deep Residual Learning for Image Recognition", 2015, figures 2 and 5 and
section 4.2; He et al., "Identity Mappings in Deep Residual Networks", 2016, figure 4e.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d

# A bottleneck's output is four times as wide as its 3×3 convolution.
EXPANSION = 4


class PadShortcut(nn.Module):
    """Option A: every stride-th place of (N, C, H, W), with zero channels on both sides up to K.

    (K − C) // 2 zero channels come first, the rest of them last, as in the CIFAR networks whose
    weights are in circulation; where the zeros stand makes no difference to training.

    Examples:
        >>> import torch
        >>> PadShortcut(2, 4, 2)(torch.ones(1, 2, 3, 3))[0, :, 0, 0]
        tensor([0., 1., 1., 0.])
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        if out_channels < in_channels:
            raise SpecError("option A cannot make narrower", got=(in_channels, out_channels))
        before = (out_channels - in_channels) // 2
        self.stride, self.padding = stride, (before, out_channels - in_channels - before)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, K, H/stride, W/stride), sizes rounded up."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, *self.padding)) if any(self.padding) else x

    def extra_repr(self) -> str:
        """Show the stride and the zero channels before and after."""
        return f"stride={self.stride}, padding={self.padding}"


def shortcut(
    in_channels: int, out_channels: int, stride: int, option: str = "B", *, norm: bool = True
) -> nn.Module:
    """Return the identity where nothing changes, else the shortcut of the option.

    Args:
        in_channels: C.
        out_channels: K.
        stride: of the unit.
        option: "A" (subsample and pad with zeros) or "B" (1×1 convolution).
        norm: batch norm after the convolution of option B.

    Raises:
        SpecError: if the option is neither, or A would have to make narrower.

    Examples:
        >>> shortcut(8, 8, 1), shortcut(8, 16, 2, "A")
        (Identity(), PadShortcut(stride=2, padding=(4, 4)))
    """
    if option not in ("A", "B"):
        raise SpecError("unknown shortcut option", got=option, expected=["A", "B"])
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    if option == "A":
        return PadShortcut(in_channels, out_channels, stride)
    conv = conv2d(in_channels, out_channels, 1, stride=stride)
    if not norm:
        return nn.Sequential(OrderedDict(conv=conv))
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels)))


class Residual(nn.Module):
    """ReLU(body(x) + shortcut(x)), the unit of 2015.

    Args:
        body: from (N, C, H, W) to (N, K, H/stride, W/stride).
        shortcut: to the same shape.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut, nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit."""
        return self.act(self.body(x) + self.shortcut(x))


class PreActivation(nn.Module):
    """body(a) + x with a = ReLU(norm(x)), the unit of 2016; a projection reads a instead of x.

    Args:
        in_channels: C.
        body: from (N, C, H, W) to (N, K, H/stride, W/stride), beginning with a convolution.
        shortcut: to the same shape.
    """

    def __init__(self, in_channels: int, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.norm, self.act = nn.BatchNorm2d(in_channels), nn.ReLU()
        self.body, self.shortcut = body, shortcut
        # Only a shortcut with weights shares the norm; the others pass the input on untouched.
        self.projects = any(True for _ in shortcut.parameters())

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit."""
        activated = self.act(self.norm(x))
        return self.body(activated) + self.shortcut(activated if self.projects else x)


def basic(
    in_channels: int,
    width: int,
    *,
    stride: int = 1,
    option: str = "B",
    pre_activation: bool = False,
) -> nn.Module:
    """Return a unit of two 3×3 convolutions, the first with the stride.

    Args:
        in_channels: C.
        width: of both convolutions and of the output.
        stride: of the unit.
        option: of the shortcut, "A" or "B".
        pre_activation: norm and ReLU before each convolution instead of after.

    Raises:
        SpecError: if the option is unknown or does not fit.

    Examples:
        >>> sum(p.numel() for p in basic(16, 32, stride=2, option="A").parameters())
        13952
    """
    convs = [(in_channels, width, 3, stride), (width, width, 3, 1)]
    return _unit(convs, option=option, pre_activation=pre_activation)


def bottleneck(
    in_channels: int,
    width: int,
    *,
    stride: int = 1,
    option: str = "B",
    pre_activation: bool = False,
) -> nn.Module:
    """Return a unit of 1×1, 3×3 and 1×1 convolutions, the output 4·width wide.

    The stride is in the 3×3 convolution, as in today's implementations; the paper has it in the
    first 1×1, which costs fewer MACs (3.9 G, not 4.1 G, for ResNet-50).

    Args:
        in_channels: C.
        width: of the 3×3 convolution.
        stride: of the unit.
        option: of the shortcut, "A" or "B".
        pre_activation: norm and ReLU before each convolution instead of after.

    Raises:
        SpecError: if the option is unknown or does not fit.

    Examples:
        >>> import torch
        >>> bottleneck(8, 4, stride=2)(torch.zeros(1, 8, 6, 6)).shape
        torch.Size([1, 16, 3, 3])
    """
    out = EXPANSION * width
    convs = [(in_channels, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
    return _unit(convs, option=option, pre_activation=pre_activation)


def _unit(
    convs: list[tuple[int, int, int, int]], *, option: str, pre_activation: bool
) -> nn.Module:
    """Return the unit of convolutions given as (C, K, R, stride)."""
    in_channels, out_channels = convs[0][0], convs[-1][1]
    stride = max(conv[3] for conv in convs)
    body = OrderedDict[str, nn.Module]()
    for index, (before, after, kernel, step) in enumerate(convs, 1):
        if pre_activation and index > 1:
            body[f"norm{index}"], body[f"act{index}"] = nn.BatchNorm2d(before), nn.ReLU()
        body[f"conv{index}"] = conv2d(before, after, kernel, stride=step)
        if not pre_activation:
            body[f"norm{index}"] = nn.BatchNorm2d(after)
            if index < len(convs):
                body[f"act{index}"] = nn.ReLU()
    skip = shortcut(in_channels, out_channels, stride, option, norm=not pre_activation)
    if pre_activation:
        return PreActivation(in_channels, nn.Sequential(body), skip)
    return Residual(nn.Sequential(body), skip)
