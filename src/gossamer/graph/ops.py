"""The operators: frozen records of attributes, each with its meaning, shape rule and MACs.

Every operator makes exactly one value. Sizes at run time are (N, C, H, W) or (N, F); a shape rule
takes the shapes of the inputs and of the weights, and raises ShapeError when they do not fit.
Paddings are (top, left, bottom, right) in pixels. What an operator computes is defined, in numpy,
by `gossamer.graph.interpret`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from reprlib import repr as short_repr
from struct import pack, unpack
from typing import ClassVar

from gossamer.counts import conv2d_macs, linear_macs
from gossamer.errors import ShapeError
from gossamer.graph.activations import ACTIVATIONS as ACTIVATIONS
from gossamer.graph.activations import check_activation
from gossamer.shapes import window_output_size

Shape = tuple[int, ...]
Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
Level = int
"""An integer that stands for a number, −128…255."""

# Bounds on attributes, so that a hostile file cannot ask for absurd windows or permutations.
LARGEST_WINDOW = 4096
LARGEST_CHANNELS = 2**20

COMPETITIONS = ("channels", "map", "image")
"""Among which entries k winners are found: the channels of a pixel, a channel's map, all."""


class Op(ABC):
    """What a node does.

    Attributes:
        kind: name in texts and files.
        arity: number of inputs, −1 for one or more.
        roles: weight roles that must be present.
        optional_roles: weight roles that may be present.
    """

    kind: ClassVar[str]
    arity: ClassVar[int] = 1
    roles: ClassVar[tuple[str, ...]] = ()
    optional_roles: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the shape of the value made, or raise ShapeError."""

    def macs(self, output: Shape, weights: Mapping[str, Shape]) -> int:
        """Return the MACs for one image, given the output's shape (see `gossamer.counts`)."""
        return 0


def _check_rank(shape: Shape, rank: int) -> None:
    if len(shape) != rank:
        raise ShapeError(f"expects an input of {rank} dimensions", got=shape)


def _check_vectors(weights: Mapping[str, Shape], length: int) -> None:
    for role in ("bias", "scale", "shift", "threshold"):
        if role in weights and weights[role] != (length,):
            raise ShapeError(
                f"{role} needs one number a channel", got=weights[role], expected=(length,)
            )


def _check_integers(label: str, values: object, length: int, least: int, most: int) -> None:
    """Raise ShapeError unless `values` is a tuple of `length` integers in least…most."""
    if not (
        isinstance(values, tuple)
        and len(values) == length
        and all(type(v) is int and least <= v <= most for v in values)
    ):
        expected = f"{length} integers in {least}…{most}" if length > 1 else f"{least}…{most}"
        raise ShapeError(f"bad {label}", got=short_repr(values), expected=expected)


def _check_window(stride: Pair, padding: Padding, dilation: Pair = (1, 1)) -> None:
    _check_integers("stride", stride, 2, 1, LARGEST_WINDOW)
    _check_integers("dilation", dilation, 2, 1, LARGEST_WINDOW)
    _check_integers("padding", padding, 4, 0, LARGEST_WINDOW)


def _check_pool(kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)) -> None:
    """Check a pooling window; as in PyTorch, padding is at most half of its span."""
    _check_integers("kernel", kernel, 2, 1, LARGEST_WINDOW)
    _check_window(stride, padding, dilation)
    half = [(dilation[axis] * (kernel[axis] - 1) + 1) // 2 for axis in (0, 1)]
    if any(size > half[side % 2] for side, size in enumerate(padding)):
        raise ShapeError("padding is more than half of the window", got=padding, expected=half)


def _check_scale(scale: object) -> None:
    """Raise ShapeError unless `scale` is a positive float that float32 holds exactly."""
    if not (
        isinstance(scale, float)
        and 0 < scale < 1e30
        and unpack("<f", pack("<f", scale))[0] == scale
    ):
        raise ShapeError("bad scale", got=short_repr(scale), expected="a float32 number in 0…10³⁰")


def _check_sizes(shape: Shape) -> None:
    if min(shape) < 1:
        raise ShapeError("weights must not be empty", got=shape)


@dataclass(frozen=True)
class Conv2d(Op):
    """activation(scale · (x ∗ weight) + bias): (N, C, H, W) → (N, K, H', W').

    Cross-correlation with weight (K, C/G, R, S); scale and bias are (K,), default 1 and 0. A scale
    is kept apart from the weight when the weight's values are shared or quantised.
    """

    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    activation: str = "identity"

    kind: ClassVar[str] = "conv2d"
    roles: ClassVar[tuple[str, ...]] = ("weight",)
    optional_roles: ClassVar[tuple[str, ...]] = ("scale", "bias")

    def __post_init__(self) -> None:
        check_activation(self.activation)
        _check_window(self.stride, self.padding, self.dilation)
        _check_integers("groups", (self.groups,), 1, 1, LARGEST_CHANNELS)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, K, H', W')."""
        _check_rank(inputs[0], 4)
        _check_rank(weights["weight"], 4)
        _check_sizes(weights["weight"])
        n, c, height, width = inputs[0]
        k, channels, *kernel = weights["weight"]
        if c != channels * self.groups or k % self.groups:
            raise ShapeError(
                f"weight does not fit {c} channels in {self.groups} groups", got=weights["weight"]
            )
        _check_vectors(weights, k)
        return (
            n,
            k,
            *window_size((height, width), tuple(kernel), self.stride, self.padding, self.dilation),
        )

    def macs(self, output: Shape, weights: Mapping[str, Shape]) -> int:
        """Return K · C/G · R · S · H' · W'."""
        return conv2d_macs(weights["weight"], output[2:])


@dataclass(frozen=True)
class Linear(Op):
    """activation(scale · (x weightᵀ) + bias): (N, F) → (N, K), weight (K, F)."""

    activation: str = "identity"

    kind: ClassVar[str] = "linear"
    roles: ClassVar[tuple[str, ...]] = ("weight",)
    optional_roles: ClassVar[tuple[str, ...]] = ("scale", "bias")

    def __post_init__(self) -> None:
        check_activation(self.activation)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, K)."""
        _check_rank(inputs[0], 2)
        _check_rank(weights["weight"], 2)
        _check_sizes(weights["weight"])
        k, features = weights["weight"]
        if inputs[0][1] != features:
            raise ShapeError(
                "weight does not fit the features",
                got=weights["weight"],
                expected=f"(K, {inputs[0][1]})",
            )
        _check_vectors(weights, k)
        return (inputs[0][0], k)

    def macs(self, output: Shape, weights: Mapping[str, Shape]) -> int:
        """Return K · F."""
        return linear_macs(weights["weight"])


@dataclass(frozen=True)
class ScaleShift(Op):
    """x · scale + shift per channel, a norm layer in evaluation: (N, C, …) → (N, C, …)."""

    kind: ClassVar[str] = "scale_shift"
    roles: ClassVar[tuple[str, ...]] = ("scale", "shift")

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        _check_vectors(weights, inputs[0][1])
        return inputs[0]


@dataclass(frozen=True)
class Activation(Op):
    """A function of each entry, by name: see `gossamer.graph.activations`."""

    function: str

    kind: ClassVar[str] = "activation"

    def __post_init__(self) -> None:
        check_activation(self.function)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        return inputs[0]


@dataclass(frozen=True)
class Threshold(Op):
    """x where x > threshold of its channel, else 0: (N, C, …) → (N, C, …); NaN stays NaN.

    FATReLU (Kurtz et al. 2020) with threshold ≥ 0, and the truncation of another activation; there
    x = threshold stays, here it goes, as in PyTorch's and ONNX's operators of this kind.
    """

    kind: ClassVar[str] = "threshold"
    roles: ClassVar[tuple[str, ...]] = ("threshold",)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        _check_vectors(weights, inputs[0][1])
        return inputs[0]


@dataclass(frozen=True)
class KWinners(Op):
    """The k = ⌈density · n⌉ largest of each n entries that compete, zero for the others.

    Entries compete by `over`: the C channels of each pixel ("channels"), the H · W pixels of each
    channel ("map"), or all C · H · W ("image"). Of equal ones the first in memory order wins, so
    that exactly k do (Ahmad & Scheinkman 2019). NaN is larger than any number.
    """

    density: float
    over: str = "channels"

    kind: ClassVar[str] = "k_winners"

    def __post_init__(self) -> None:
        if not isinstance(self.density, float) or not 0 < self.density <= 1:
            raise ShapeError("bad density", got=short_repr(self.density), expected="0 < d ≤ 1")
        if not isinstance(self.over, str) or self.over not in COMPETITIONS:
            raise ShapeError(
                "unknown competition", got=short_repr(self.over), expected=COMPETITIONS
            )

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        return inputs[0]


@dataclass(frozen=True)
class MaxPool2d(Op):
    """The largest entry of each window; padding never wins: (N, C, H, W) → (N, C, H', W')."""

    kernel: Pair
    stride: Pair
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    kind: ClassVar[str] = "max_pool2d"

    def __post_init__(self) -> None:
        _check_pool(self.kernel, self.stride, self.padding, self.dilation)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, C, H', W')."""
        _check_rank(inputs[0], 4)
        size = window_size(
            inputs[0][2:], self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        return (*inputs[0][:2], *size)


@dataclass(frozen=True)
class AvgPool2d(Op):
    """The mean of each window: (N, C, H, W) → (N, C, H', W').

    The divisor counts the padding that `padding` names if `count_include_pad`, never what
    `ceil_mode` adds beyond it (as PyTorch does).
    """

    kernel: Pair
    stride: Pair
    padding: Padding = (0, 0, 0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True

    kind: ClassVar[str] = "avg_pool2d"

    def __post_init__(self) -> None:
        _check_pool(self.kernel, self.stride, self.padding)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, C, H', W')."""
        _check_rank(inputs[0], 4)
        size = window_size(
            inputs[0][2:], self.kernel, self.stride, self.padding, (1, 1), self.ceil_mode
        )
        return (*inputs[0][:2], *size)


@dataclass(frozen=True)
class GlobalAvgPool(Op):
    """The mean of each channel: (N, C, H, W) → (N, C, 1, 1)."""

    kind: ClassVar[str] = "global_avg_pool"

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, C, 1, 1)."""
        _check_rank(inputs[0], 4)
        return (*inputs[0][:2], 1, 1)


@dataclass(frozen=True)
class Add(Op):
    """activation(a + b), equal shapes."""

    activation: str = "identity"

    kind: ClassVar[str] = "add"
    arity: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_activation(self.activation)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the common shape."""
        if inputs[0] != inputs[1]:
            raise ShapeError("the terms differ in shape", got=inputs[1], expected=inputs[0])
        return inputs[0]


@dataclass(frozen=True)
class Concat(Op):
    """Inputs side by side along channels: (N, C₁, …), (N, C₂, …), … → (N, ΣC, …)."""

    kind: ClassVar[str] = "concat"
    arity: ClassVar[int] = -1

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the first shape with the channels added up."""
        first = inputs[0]
        for shape in inputs:
            if shape[0] != first[0] or shape[2:] != first[2:]:
                raise ShapeError("the parts differ in size", got=shape, expected=first)
        return (first[0], sum(s[1] for s in inputs), *first[2:])


@dataclass(frozen=True)
class ChannelPermute(Op):
    """Output channel i is input channel order[i]: (N, C, H, W) → (N, C, H, W)."""

    order: tuple[int, ...]

    kind: ClassVar[str] = "channel_permute"

    def __post_init__(self) -> None:
        order = self.order
        if (
            not isinstance(order, tuple)
            or not 1 <= len(order) <= LARGEST_CHANNELS
            or not all(type(channel) is int for channel in order)
            or sorted(order) != list(range(len(order)))
        ):
            raise ShapeError("the order of channels must be a permutation", got=short_repr(order))

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        if inputs[0][1] != len(self.order):
            raise ShapeError(
                "the order does not fit the channels", got=len(self.order), expected=inputs[0][1]
            )
        return inputs[0]


@dataclass(frozen=True)
class ChannelSelect(Op):
    """Output channel i is input channel order[i], or zero for −1: (N, C, …) → (N, len(order), …).

    For parts of a split, channels picked by a list, and channels padded with zeros.
    """

    order: tuple[int, ...]

    kind: ClassVar[str] = "channel_select"

    def __post_init__(self) -> None:
        count = len(self.order) if isinstance(self.order, tuple) else 0
        if not 1 <= count <= LARGEST_CHANNELS:
            raise ShapeError("bad number of channels", got=count, expected=f"1…{LARGEST_CHANNELS}")
        _check_integers("order", self.order, count, -1, LARGEST_CHANNELS)

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, len(order), …)."""
        if max(self.order) >= inputs[0][1]:
            raise ShapeError("no such channel", got=max(self.order), expected=f"< {inputs[0][1]}")
        return (inputs[0][0], len(self.order), *inputs[0][2:])


@dataclass(frozen=True)
class Multiply(Op):
    """a · b, shapes equal, or b of (N, C, 1, 1) or (N, C): one factor a channel (a gate)."""

    kind: ClassVar[str] = "multiply"
    arity: ClassVar[int] = 2

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the first input's shape."""
        a, b = inputs
        if b not in (a, (*a[:2], *(1,) * len(a[2:])), a[:2]):
            raise ShapeError("the factors differ in shape", got=b, expected=a)
        return a


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """x / (k + alpha/size · Σ x²)^beta, the sum over `size` neighbouring channels: (N, C, H, W).

    Channel c sums channels c − size//2 … c + (size − 1)//2, as far as they exist (Krizhevsky et al.
    2012; PyTorch divides alpha by the size, as here).
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    kind: ClassVar[str] = "local_response_norm"

    def __post_init__(self) -> None:
        _check_integers("size", (self.size,), 1, 1, LARGEST_WINDOW)
        for label, value in (("alpha", self.alpha), ("beta", self.beta), ("k", self.k)):
            if not isinstance(value, float) or not 0 <= value < 1e6:
                raise ShapeError(f"bad {label}", got=short_repr(value), expected="0…10⁶")

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        _check_rank(inputs[0], 4)
        return inputs[0]


@dataclass(frozen=True)
class LayerNorm(Op):
    """(x − mean) / √(variance + ε) · scale + shift over the channels of each pixel: (N, C, …).

    The variance divides by C (Ba et al. 2016); scale and shift are one number a channel.
    """

    epsilon: float = 1e-5

    kind: ClassVar[str] = "layer_norm"
    roles: ClassVar[tuple[str, ...]] = ("scale", "shift")

    def __post_init__(self) -> None:
        if not isinstance(self.epsilon, float) or not 0 <= self.epsilon < 1e6:
            raise ShapeError("bad epsilon", got=short_repr(self.epsilon), expected="0…10⁶")

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        _check_vectors(weights, inputs[0][1])
        return inputs[0]


@dataclass(frozen=True)
class Softmax(Op):
    """exp(x) over its sum along channels: (N, C, …) → (N, C, …), each pixel by itself."""

    kind: ClassVar[str] = "softmax"

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        return inputs[0]


@dataclass(frozen=True)
class Quantise(Op):
    """(clip(round(x / scale) + zero_point, low, high) − zero_point) · scale, each entry: any shape.

    The value stays a real number; it is one of at most 256 levels, so that kernels may hold it in a
    byte. Halves are rounded to even, in float32: QuantizeLinear and DequantizeLinear of ONNX.
    """

    scale: float
    zero_point: Level = 0
    low: Level = -128
    high: Level = 127

    kind: ClassVar[str] = "quantise"

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        _check_integers("levels", (self.low, self.zero_point, self.high), 3, -128, 255)
        if not (self.low <= self.zero_point <= self.high <= self.low + 255):
            raise ShapeError(
                "levels out of order, or more than 256",
                got=(self.low, self.zero_point, self.high),
                expected="low ≤ zero_point ≤ high ≤ low + 255",
            )

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return the input's shape."""
        return inputs[0]


@dataclass(frozen=True)
class Flatten(Op):
    """(N, C, H, W) → (N, C·H·W), channels outermost."""

    kind: ClassVar[str] = "flatten"

    def output_shape(self, inputs: Sequence[Shape], weights: Mapping[str, Shape]) -> Shape:
        """Return (N, C·H·W)."""
        return (inputs[0][0], prod(inputs[0][1:]))


OPS: tuple[type[Op], ...] = (
    Conv2d,
    Linear,
    ScaleShift,
    Activation,
    Threshold,
    KWinners,
    MaxPool2d,
    AvgPool2d,
    GlobalAvgPool,
    Add,
    Concat,
    ChannelPermute,
    ChannelSelect,
    Multiply,
    LocalResponseNorm,
    LayerNorm,
    Softmax,
    Quantise,
    Flatten,
)


def window_size(
    size: Shape,
    kernel: Shape,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool = False,
) -> Pair:
    """Return (H', W') of a sliding window over (H, W)."""
    height, width = (
        window_output_size(
            size[axis],
            kernel[axis],
            stride=stride[axis],
            padding=(padding[axis], padding[axis + 2]),
            dilation=dilation[axis],
            ceil_mode=ceil_mode,
        )
        for axis in (0, 1)
    )
    return height, width


def shuffle_order(channels: int, groups: int) -> tuple[int, ...]:
    """Return the order of a channel shuffle: view (groups, C/groups), transpose, flatten.

    Input channel a·(C/groups) + b goes to output position b·groups + a (interleaved group
    convolutions, Zhang et al. 2017).

    Examples:
        >>> shuffle_order(6, 2)
        (0, 3, 1, 4, 2, 5)
    """
    if groups < 1 or channels < 1 or channels % groups:
        raise ShapeError(
            "groups must divide the channels", got=groups, expected=f"a divisor of {channels}"
        )
    width = channels // groups
    return tuple(a * width + b for b in range(width) for a in range(groups))
