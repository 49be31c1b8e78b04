"""The definition of every operator, in numpy. Slow, plain, never optimised.

Products are accumulated in float64 and rounded once to float32, so that the interpreter is closer
to the exact result than any kernel that is compared with it. Nothing is rounded if float64 is asked
for: that is the reference where the rounding itself is in question.

Infinities and NaN are values like others: a weight of zero times an infinity is NaN. Programs may
skip weights that are zero, and then give the number that the other weights make instead of that NaN
(docs/design/0005-infinities-and-tiny-numbers.md); all else that is not NaN here is the same there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf, erfc, prod
from typing import Any

import numpy as np

from gossamer.counts import winner_count
from gossamer.graph import ops
from gossamer.graph.activations import slope_of
from gossamer.graph.graph import Graph
from gossamer.graph.verify import infer_shapes

Arrays = list[np.ndarray]
Weights = Mapping[str, np.ndarray]


def interpret(
    graph: Graph,
    x: np.ndarray,
    *,
    values: dict[str, np.ndarray] | None = None,
    given: Mapping[str, np.ndarray] | None = None,
    rounding: bool = True,
    dtype: type[np.float32 | np.float64] = np.float32,
) -> np.ndarray:
    """Return the network's output for `x`.

    Args:
        graph: a well-formed graph.
        x: (N, C, H, W) or (N, F).
        values: if given, filled with every value by name.
        given: what to read in place of some of the values.
        rounding: whether `quantise` rounds; otherwise it only limits values to the range of its
            levels, and the output is that of the real network that the levels approximate.
        dtype: that every value is rounded to, and that is returned.

    Raises:
        ShapeError: if the network does not take that shape.
    """
    x = np.asarray(x, dtype)
    infer_shapes(graph, x.shape)
    known = {graph.input.name: x} if values is None else values
    known[graph.input.name] = x
    given = given or {}
    for node in graph.nodes:
        weights = {role: graph.weights[name].to_dense() for role, name in node.weights.items()}
        meaning = MEANING[type(node.op)]
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are values like others
            inputs = [given[n] if n in given else known[n] for n in node.inputs]
            if isinstance(node.op, ops.Quantise) and not rounding:
                value = _limit(node.op, inputs[0])
            else:
                value = meaning(node.op, inputs, weights)
            known[node.name] = value.astype(dtype)
    return known[graph.output]


def activate(x: np.ndarray, function: str) -> np.ndarray:
    """Apply an activation of `gossamer.graph.activations`; NaN stays NaN."""
    match function:
        case "identity":
            return x
        case "relu":
            return np.maximum(x, 0)
        case "relu6":
            return np.clip(x, 0, 6)
        case "sigmoid":
            return _sigmoid(x)
        case "tanh":
            return np.tanh(x)
        case "silu":
            return x * _sigmoid(x)
        case "hard_sigmoid":
            return np.clip(x + 3.0, 0, 6) / 6
        case "hard_swish":
            return x * (np.clip(x + 3.0, 0, 6) / 6)
        case "erf":
            return _one_by_one(erf, x)
        case "gelu":
            return 0.5 * x * _one_by_one(erfc, x.astype(np.float64) * -(0.5**0.5))
        case "gelu_tanh":
            return x * _sigmoid((8 / np.pi) ** 0.5 * (x + 0.044715 * x.astype(np.float64) ** 3))
    slope = slope_of(function)
    assert slope is not None, function
    return np.where(x < 0, slope * x, x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x.astype(np.float64)))


def _one_by_one(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    return np.array(np.frompyfunc(function, 1, 1)(x), np.float64)


def windows(
    x: np.ndarray,
    op: Any,
    kernel: ops.Pair,
    size: ops.Pair,
    fill: float,
    dilation: ops.Pair = (1, 1),
) -> np.ndarray:
    """Return all windows of (N, C, H, W) as (N, C, R, S, H', W'), `fill` outside the picture."""
    n, c, height, width = x.shape
    top, left, _, _ = op.padding
    reach = [(size[a] - 1) * op.stride[a] + dilation[a] * (kernel[a] - 1) + 1 for a in (0, 1)]
    padded = np.full(
        (n, c, max(reach[0], top + height), max(reach[1], left + width)), fill, x.dtype
    )
    padded[:, :, top : top + height, left : left + width] = x
    out = np.empty((n, c, *kernel, *size), x.dtype)
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            rows = slice(
                r * dilation[0], r * dilation[0] + (size[0] - 1) * op.stride[0] + 1, op.stride[0]
            )
            columns = slice(
                s * dilation[1], s * dilation[1] + (size[1] - 1) * op.stride[1] + 1, op.stride[1]
            )
            out[:, :, r, s] = padded[:, :, rows, columns]
    return out


def _epilogue(y: np.ndarray, weights: Weights, activation: str) -> np.ndarray:
    shape = (-1,) + (1,) * (y.ndim - 2)
    if "scale" in weights:
        y = y * weights["scale"].reshape(shape)
    if "bias" in weights:
        y = y + weights["bias"].reshape(shape)
    return activate(y, activation)


def _conv2d(op: ops.Conv2d, inputs: Arrays, weights: Weights) -> np.ndarray:
    x, weight = inputs[0].astype(np.float64), weights["weight"].astype(np.float64)
    k, channels, *kernel = weight.shape
    _, _, *size = op.output_shape([x.shape], {"weight": weight.shape})
    patches = windows(x, op, (kernel[0], kernel[1]), (size[0], size[1]), 0.0, op.dilation)
    columns = patches.reshape(x.shape[0], op.groups, channels * prod(kernel), prod(size))
    filters = weight.reshape(op.groups, k // op.groups, channels * prod(kernel))
    y = filters @ columns
    return _epilogue(y.reshape(x.shape[0], k, *size), weights, op.activation)


def _linear(op: ops.Linear, inputs: Arrays, weights: Weights) -> np.ndarray:
    y = inputs[0].astype(np.float64) @ weights["weight"].astype(np.float64).T
    return _epilogue(y, weights, op.activation)


def _scale_shift(op: ops.ScaleShift, inputs: Arrays, weights: Weights) -> np.ndarray:
    shape = (-1,) + (1,) * (inputs[0].ndim - 2)
    x = inputs[0].astype(np.float64)
    return x * weights["scale"].reshape(shape) + weights["shift"].reshape(shape)


def _max_pool2d(op: ops.MaxPool2d, inputs: Arrays, weights: Weights) -> np.ndarray:
    height, width = op.output_shape([inputs[0].shape], {})[2:]
    return windows(inputs[0], op, op.kernel, (height, width), -np.inf, op.dilation).max(axis=(2, 3))


def _avg_pool2d(op: ops.AvgPool2d, inputs: Arrays, weights: Weights) -> np.ndarray:
    x = inputs[0].astype(np.float64)
    height, width = op.output_shape([x.shape], {})[2:]
    total = windows(x, op, op.kernel, (height, width), 0.0).sum(axis=(2, 3))
    return total / pool_divisors(op, x.shape[2:])


def pool_divisors(op: ops.AvgPool2d, size: tuple[int, ...]) -> np.ndarray:
    """Return (H', W'): how many entries each mean of an average pool divides by."""
    counts = []
    for axis in (0, 1):
        before, after = op.padding[axis], op.padding[axis + 2]
        out = ops.window_size(size, op.kernel, op.stride, op.padding, (1, 1), op.ceil_mode)[axis]
        start = np.arange(out) * op.stride[axis] - before
        end = np.minimum(start + op.kernel[axis], size[axis] + after)
        if not op.count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size[axis])
        counts.append(end - start)
    return np.maximum(counts[0][:, None] * counts[1][None, :], 1).astype(np.float64)


def _global_avg_pool(op: ops.GlobalAvgPool, inputs: Arrays, weights: Weights) -> np.ndarray:
    return inputs[0].astype(np.float64).mean(axis=(2, 3), keepdims=True)


def _channel_select(op: ops.ChannelSelect, inputs: Arrays, weights: Weights) -> np.ndarray:
    zero = np.zeros_like(inputs[0][:, :1])
    return np.concatenate([inputs[0], zero], axis=1)[:, list(op.order)]


def _multiply(op: ops.Multiply, inputs: Arrays, weights: Weights) -> np.ndarray:
    x, factor = inputs
    return x * factor.reshape(factor.shape + (1,) * (x.ndim - factor.ndim))


def _threshold(op: ops.Threshold, inputs: Arrays, weights: Weights) -> np.ndarray:
    x = inputs[0]
    limit = weights["threshold"].reshape((-1,) + (1,) * (x.ndim - 2))
    return np.where(x <= limit, 0, x)  # so that NaN stays


def _k_winners(op: ops.KWinners, inputs: Arrays, weights: Weights) -> np.ndarray:
    x = inputs[0].reshape(*inputs[0].shape[:2], -1)
    lines = {"channels": x.swapaxes(1, 2), "map": x, "image": x.reshape(len(x), 1, -1)}[op.over]
    count = winner_count(op.density, lines.shape[2])
    winners = np.lexsort((-lines, ~np.isnan(lines)))[..., :count]  # stable, the last key first
    kept = np.zeros_like(lines)
    np.put_along_axis(kept, winners, np.take_along_axis(lines, winners, 2), 2)
    return (kept.swapaxes(1, 2) if op.over == "channels" else kept).reshape(inputs[0].shape)


def _softmax(op: ops.Softmax, inputs: Arrays, weights: Weights) -> np.ndarray:
    x = inputs[0].astype(np.float64)
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _quantise(op: ops.Quantise, inputs: Arrays, weights: Weights) -> np.ndarray:
    scale, zero = np.float32(op.scale), np.float32(op.zero_point)
    levels = np.clip(np.rint(inputs[0] / scale) + zero, op.low, op.high)
    return (levels - zero) * scale


def _limit(op: ops.Quantise, x: np.ndarray) -> np.ndarray:
    low, high = (np.float32(level - op.zero_point) for level in (op.low, op.high))
    return np.clip(x, low * np.float32(op.scale), high * np.float32(op.scale))


def _local_response_norm(op: ops.LocalResponseNorm, inputs: Arrays, weights: Weights) -> np.ndarray:
    x = inputs[0].astype(np.float64)
    before, after = op.size // 2, (op.size - 1) // 2
    squares = np.pad(x**2, ((0, 0), (before, after), (0, 0), (0, 0)))
    total = sum(squares[:, i : i + x.shape[1]] for i in range(op.size))
    return x / (op.k + op.alpha / op.size * total) ** op.beta


def _layer_norm(op: ops.LayerNorm, inputs: Arrays, weights: Weights) -> np.ndarray:
    x, shape = inputs[0].astype(np.float64), (-1,) + (1,) * (inputs[0].ndim - 2)
    x = x - x.mean(axis=1, keepdims=True)
    y = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + op.epsilon)
    return y * weights["scale"].reshape(shape) + weights["shift"].reshape(shape)


MEANING: Mapping[type[ops.Op], Callable[[Any, Arrays, Weights], np.ndarray]] = {
    ops.Conv2d: _conv2d,
    ops.Linear: _linear,
    ops.ScaleShift: _scale_shift,
    ops.Activation: lambda op, inputs, weights: activate(inputs[0], op.function),
    ops.Threshold: _threshold,
    ops.KWinners: _k_winners,
    ops.MaxPool2d: _max_pool2d,
    ops.AvgPool2d: _avg_pool2d,
    ops.GlobalAvgPool: _global_avg_pool,
    ops.Add: lambda op, inputs, weights: activate(inputs[0] + inputs[1], op.activation),
    ops.Concat: lambda op, inputs, weights: np.concatenate(inputs, axis=1),
    ops.ChannelPermute: lambda op, inputs, weights: inputs[0][:, list(op.order)],
    ops.ChannelSelect: _channel_select,
    ops.Multiply: _multiply,
    ops.LocalResponseNorm: _local_response_norm,
    ops.LayerNorm: _layer_norm,
    ops.Softmax: _softmax,
    ops.Quantise: _quantise,
    ops.Flatten: lambda op, inputs, weights: inputs[0].reshape(len(inputs[0]), -1),
}
