"""Convolutions, linear layers and norms in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.view import View, transposed
from gossamer.graph.ops import Conv2d, Linear, Padding, ScaleShift, Shape


def pair(call: Call, name: str) -> tuple[int, int]:
    """Return an attribute of two integers, 1 by default."""
    first, second = call.ints(name, (1, 1)) or (1, 1)
    return first, second


def sides(
    call: Call, size: Shape, kernel: Shape, stride: Sequence[int], dilation: Sequence[int]
) -> Padding:
    """Return the padding (top, left, bottom, right) that a window asks for over (H, W)."""
    mode = call.text("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        given = call.ints("pads") if mode == "NOTSET" else None
        top, left, bottom, right = given or (0, 0, 0, 0)
        return top, left, bottom, right
    total = [
        max(
            (-(-size[a] // stride[a]) - 1) * stride[a]
            + dilation[a] * (kernel[a] - 1)
            + 1
            - size[a],
            0,
        )
        for a in (0, 1)
    ]
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    before, after = (more, less) if mode == "SAME_LOWER" else (less, more)
    return before[0], before[1], after[0], after[1]


def added(a: Padding, b: Padding) -> Padding:
    """Return two paddings as one."""
    top, left, bottom, right = (x + y for x, y in zip(a, b, strict=True))
    return top, left, bottom, right


def _conv(call: Call) -> Value:
    return convolve(call, call.view(), call.needed(1), call.constant(2))


def convolve(call: Call, view: View, weight: Constant, bias: Constant | None) -> View:
    """Return a view of the convolution that a node's attributes describe."""
    if weight.array.shape[:2] == (1, 1) and weight.array.ndim == 3 and view.axes == "N1C":
        return _along_channels(call, view, weight.array.ravel(), bias)
    if weight.array.ndim != 4:
        raise call.unsupported("is in the graph for pictures (N, C, H, W) only")
    view = call.picture(view)
    stride, dilation = pair(call, "strides"), pair(call, "dilations")
    kernel = weight.array.shape[2:]
    if call.ints("kernel_shape", kernel) != list(kernel):
        raise call.malformed("kernel_shape is not that of the weight")
    size = padded_size(call.shape(view.source)[2:], view.padding)
    op = Conv2d(
        stride=stride,
        padding=added(sides(call, size, kernel, stride, dilation), view.padding),
        dilation=dilation,
        groups=call.integer("group", 1),
    )
    return call.plain(call.add(op, view.source, weight=weight, bias=bias))


def _along_channels(call: Call, view: View, taps: np.ndarray, bias: Constant | None) -> View:
    """Return a view (N, 1, K) of a convolution that slides along the channels of (N, 1, C).

    Efficient channel attention (Wang et al. 2020): a linear layer whose weight is a band.
    """
    channels = view.order.size
    (stride,), (dilation,) = (call.ints(name, (1,)) or (1,) for name in ("strides", "dilations"))
    before, after = call.ints("pads", (0, 0)) or (0, 0)
    reach = dilation * (len(taps) - 1) + 1
    count = (channels + before + after - reach) // stride + 1
    if call.text("auto_pad", "NOTSET") != "NOTSET" or count < 1 or min(before, after) < 0:
        raise call.unsupported("along channels has a padding that is not given by numbers")
    call.builder.charge(count * channels, call.place)
    band = np.zeros((count, channels))
    for tap, value in enumerate(taps):
        rows = np.arange(count)
        columns = rows * stride - before + tap * dilation
        inside = (columns >= 0) & (columns < channels)
        band[rows[inside], columns[inside]] = value
    term = None if bias is None else np.full(count, float(bias.array.item()))
    source = call.settled(replace(view, axes="NC"))
    name = call.add(Linear(), source, weight=band, bias=term)
    return View(name, "N1C", np.arange(count))


def padded_size(size: Shape, padding: Padding) -> Shape:
    """Return (H, W) with the padding around it."""
    top, left, bottom, right = padding
    return (size[0] + top + bottom, size[1] + left + right)


def _gemm(call: Call) -> Value:
    """Add alpha · x W + beta · b; a term b of one number counts for all."""
    if call.integer("transA", 0):
        raise call.unsupported("transposes its first input")
    weight = call.needed(1)
    weight = weight if call.integer("transB", 0) else weight.transposed
    weight = _times(weight, call.number("alpha", 1.0))
    bias = call.constant(2)
    if bias is not None:
        features = len(weight.array)
        if bias.array.size not in (1, features) or bias.array.shape[:-1] not in ((), (1,)):
            raise call.unsupported(
                f"has a third input {bias.array.shape}, not one number a feature"
            )
        if bias.array.shape != (features,):
            bias = Constant(np.broadcast_to(bias.array.ravel(), (features,)))
        bias = _times(bias, call.number("beta", 1.0))
    return multiply(call, call.view(), weight, bias)


def _times(constant: Constant, factor: float) -> Constant:
    if factor == 1:
        return constant
    return Constant(constant.array.astype(np.float64) * factor)


def _matmul(call: Call) -> Value:
    view, weight = call.view(), call.needed(1).transposed
    if weight.array.ndim == 2 and _is_channels_last(call, view):
        return _pointwise(call, view, weight)
    return multiply(call, view, weight, None)


def _is_channels_last(call: Call, view: View) -> bool:
    """Whether a view is of a picture whose channels are the last axis."""
    is_picture = len(call.shape(view.source)) == 4 and len(view.axes) == 4
    return is_picture and all(a in (b, "1") for a, b in zip(view.axes, "NHWC", strict=True))


def _pointwise(call: Call, view: View, weight: Constant) -> View:
    """Return a view, channels last too, of the convolution that each pixel's product is."""
    view = call.in_order(call.unpadded(view))
    name = call.add(Conv2d(), view.source, weight=weight.pointwise)
    return transposed(call.plain(name), (0, 2, 3, 1))


def multiply(call: Call, view: View, weight: Constant, bias: Constant | None) -> View:
    """Return a view of a linear layer with a weight (K, F)."""
    if len(view.axes) != 2 or weight.array.ndim != 2:
        raise call.unsupported("is in the graph for arrays (N, F) only")
    return call.plain(call.add(Linear(), call.settled(view), weight=weight, bias=bias))


def _batch_norm(call: Call) -> Value:
    """Add γ/√(var + ε) and β − mean·γ/√(var + ε), in float64 (Ioffe and Szegedy 2015)."""
    if (
        call.integer("training_mode", 0)
        or len(call.node.output) > 1
        or not call.integer("spatial", 1)
    ):
        raise call.unsupported("normalises by the batch", "export the model in evaluation mode")
    gamma, beta, mean, variance = (call.needed(i).array.astype(np.float64) for i in range(1, 5))
    scale = gamma / np.sqrt(variance + call.number("epsilon", 1e-5))
    name = call.add(ScaleShift(), call.value(), scale=scale, shift=beta - mean * scale)
    return call.plain(name)


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
}
