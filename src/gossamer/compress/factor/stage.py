"""One layer of a chain before it is built: its shape, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from torch import Tensor, nn
from torch.nn.utils import skip_init

from gossamer.compress.quantise.layers import round_input
from gossamer.counts import conv2d_macs, linear_macs
from gossamer.graph.ops import Quantise
from gossamer.nets.blocks.shuffle import ChannelShuffle

Pair = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """A convolution without nonlinearity behind it, or a linear layer.

    Args:
        in_channels: C.
        out_channels: K.
        kernel: R×S; None of a linear layer.
        groups: G.
        stride: along height and width, as the next ones.
        padding: a pair, "same" or "valid".
        dilation: distance between taps.
        padding_mode: of `nn.Conv2d`.
        shuffle: groups of the channel shuffle that follows; 1 for none.
    """

    in_channels: int
    out_channels: int
    kernel: Pair | None = (1, 1)
    groups: int = 1
    stride: Pair = (1, 1)
    padding: Pair | str = (0, 0)
    dilation: Pair = (1, 1)
    padding_mode: str = "zeros"
    shuffle: int = 1

    @classmethod
    def like(cls, layer: nn.Conv2d | nn.Linear) -> Stage:
        """Return the stage that a layer is.

        Examples:
            >>> Stage.like(nn.Conv2d(4, 2, 3, stride=2)).stride
            (2, 2)
        """
        if isinstance(layer, nn.Linear):
            return cls(layer.in_features, layer.out_features, None)
        return cls(
            layer.in_channels,
            layer.out_channels,
            _pair(layer.kernel_size),
            layer.groups,
            _pair(layer.stride),
            layer.padding if isinstance(layer.padding, str) else _pair(layer.padding),
            _pair(layer.dilation),
            layer.padding_mode,
        )

    def between(self, in_channels: int, out_channels: int, groups: int = 1) -> Stage:
        """Return this stage, with its window, between other widths."""
        return replace(self, in_channels=in_channels, out_channels=out_channels, groups=groups)

    def point(self, in_channels: int, out_channels: int, groups: int = 1) -> Stage:
        """Return a 1×1 convolution, or of a linear layer a linear layer."""
        kernel = None if self.kernel is None else (1, 1)
        return Stage(in_channels, out_channels, kernel, groups)

    def along(self, axis: int, channels: Sequence[int], groups: int = 1) -> Stage:
        """Return a convolution with this one's window along one axis: 0 is height, 1 is width."""
        assert self.kernel is not None
        padding = self.padding
        return Stage(
            *channels,
            kernel=_only(self.kernel, axis, 1),
            groups=groups,
            stride=_only(self.stride, axis, 1),
            padding=padding if isinstance(padding, str) else _only(padding, axis, 0),
            dilation=_only(self.dilation, axis, 1),
            padding_mode=self.padding_mode,
        )

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Return (K, C/G, R, S), or (K, F)."""
        return (self.out_channels, self.in_channels // self.groups, *(self.kernel or ()))

    @property
    def weights(self) -> int:
        """Return the entries of its weight."""
        return prod(self.weight_shape)

    def output_size(self, size: Pair) -> Pair:
        """Return height and width behind it; of a linear layer those given."""
        if self.kernel is None:
            return size
        height, width = (self._along(axis, size[axis]) for axis in (0, 1))
        return height, width

    def _along(self, axis: int, size: int) -> int:
        span = self.dilation[axis] * ((self.kernel or (1, 1))[axis] - 1)
        if isinstance(self.padding, str):
            added = span if self.padding == "same" else 0
        else:
            added = 2 * self.padding[axis]
        return (size + added - span - 1) // self.stride[axis] + 1

    def macs(self, size: Pair) -> int:
        """Return the MACs on an input of that height and width; of a linear layer, of positions."""
        if self.kernel is None:
            return linear_macs(self.weight_shape) * prod(size)
        return conv2d_macs(self.weight_shape, self.output_size(size))

    def build(self, bias: bool) -> nn.Conv2d | nn.Linear:
        """Return the layer, its weights not yet set and no random number drawn."""
        widths = (self.in_channels, self.out_channels)
        if self.kernel is None:
            return skip_init(nn.Linear, *widths, bias=bias)  # type: ignore[return-value]
        window = (self.kernel, self.stride, self.padding, self.dilation)
        last = (self.groups, bias, self.padding_mode)
        return skip_init(nn.Conv2d, *widths, *window, *last)  # type: ignore[return-value]


Stages = tuple[Stage, ...]


def chain_macs(stages: Stages, size: Pair) -> int:
    """Return the MACs of stages that follow each other.

    Examples:
        >>> chain_macs((Stage(4, 1), Stage(1, 4)), (2, 2))
        32
    """
    total = 0
    for stage in stages:
        total += stage.macs(size)
        size = stage.output_size(size)
    return total


def build_chain(
    stages: Stages,
    weights: Sequence[Tensor],
    bias: Tensor | None,
    levels: Quantise | None = None,
) -> nn.Sequential:
    """Return the stages as modules with these weights, of their type, and the bias on the last.

    Args:
        stages: at least one.
        weights: of each stage, in any shape of as many entries, K first.
        bias: (K,) or None.
        levels: to which the first rounds what it reads; None for no rounding.
    """
    modules: list[nn.Module] = []
    for index, (stage, weight) in enumerate(zip(stages, weights, strict=True)):
        own = bias if index == len(stages) - 1 else None
        layer = stage.build(own is not None).to(weight.dtype)
        layer.weight.data.copy_(weight.reshape(stage.weight_shape))
        if own is not None:
            layer.bias.data.copy_(own)  # type: ignore[union-attr]
        modules.append(layer)
        if stage.shuffle > 1:
            modules.append(ChannelShuffle(stage.shuffle))
    if levels is not None:
        round_input(modules[0], levels)
    return nn.Sequential(*modules)


def _pair(value: Sequence[int]) -> Pair:
    first, second = value
    return first, second


def _only(pair: Pair, axis: int, other: int) -> Pair:
    return (pair[0], other) if axis == 0 else (other, pair[1])
