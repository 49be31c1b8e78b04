"""Convolutions, linear layers and norms in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gossamer.graph.from_torch.builder import Call, Padded
from gossamer.graph.ops import Conv2d, Linear, ScaleShift


def pair(values: Sequence[int] | int) -> tuple[int, int]:
    """Return one or two integers as (vertical, horizontal)."""
    numbers = (values,) if isinstance(values, int) else tuple(values)
    return (numbers[0], numbers[-1])


def four_sides(padding: Sequence[int] | int) -> tuple[int, int, int, int]:
    """Return a symmetric padding as (top, left, bottom, right)."""
    vertical, horizontal = pair(padding)
    return (vertical, horizontal, vertical, horizontal)


def _conv2d(call: Call) -> str:
    weight = call.constant(call["weight"])
    assert weight is not None
    if weight.ndim != 4 or call.arguments.get("transposed"):
        raise call.unsupported("is not a plain convolution of pictures")
    dilation = pair(call["dilation"])
    padding = _conv_padding(call["padding"], weight.shape[2:], dilation)
    source, outer = _take_padding(call)
    op = Conv2d(
        stride=pair(call["stride"]),
        padding=(
            padding[0] + outer[0],
            padding[1] + outer[1],
            padding[2] + outer[2],
            padding[3] + outer[3],
        ),
        dilation=dilation,
        groups=call["groups"],
    )
    return call.add(op, source, weight=(call["weight"], weight), bias=_bias(call))


def _take_padding(call: Call) -> tuple[str, tuple[int, int, int, int]]:
    """Return the convolution's input and the zeros that an explicit padding put around it."""
    raw = call.raw(call["input"]) if call.is_value(call["input"]) else None
    if isinstance(raw, Padded):
        return raw.source, raw.padding
    return call.value(call["input"]), (0, 0, 0, 0)


def _conv_padding(
    padding: Any, kernel: tuple[int, ...], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right); "same" puts an odd pixel at the end, as PyTorch does."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        total = [dilation[axis] * (kernel[axis] - 1) for axis in (0, 1)]
        top, left = total[0] // 2, total[1] // 2
        return (top, left, total[0] - top, total[1] - left)
    return four_sides(padding)


def _bias(call: Call) -> tuple[Any, np.ndarray] | None:
    bias = call.constant(call["bias"])
    return None if bias is None else (call["bias"], bias)


def _linear(call: Call) -> str:
    weight = call.constant(call["weight"])
    assert weight is not None
    return _add_linear(call, call["input"], (call["weight"], weight), _bias(call))


def _addmm(call: Call) -> str:
    if call["alpha"] != 1 or call["beta"] != 1:
        raise call.unsupported("is a plain linear layer only with alpha and beta 1")
    bias = call.constant(call["self"])
    return _add_linear(call, call["mat1"], _transposed(call, "mat2"), (call["self"], bias))


def _mm(call: Call) -> str:
    other = "mat2" if "mat2" in call.arguments else "other"
    return _add_linear(call, call["self"], _transposed(call, other), None)


def _transposed(call: Call, name: str) -> tuple[None, np.ndarray]:
    weight = call.constant(call[name])
    assert weight is not None
    return None, weight.T


def _add_linear(call: Call, source: Any, weight: tuple[Any, np.ndarray], bias: Any) -> str:
    value = call.value(source)
    if len(call.shape(value)) != 2 or weight[1].ndim != 2:
        raise call.unsupported("is in the graph for inputs (N, F) only")
    return call.add(Linear(), value, weight=weight, bias=bias)


def _batch_norm(call: Call) -> str:
    """Add γ/√(var + ε) and β − mean·γ/√(var + ε), in float64 (Ioffe and Szegedy 2015)."""
    mean, variance = call.constant(call["running_mean"]), call.constant(call["running_var"])
    if call.arguments.get("training") or mean is None or variance is None:
        raise call.unsupported("normalises by the batch also in evaluation")
    scale = 1 / np.sqrt(variance + call["eps"])
    gamma, beta = call.constant(call["weight"]), call.constant(call["bias"])
    scale = scale if gamma is None else gamma * scale
    shift = -mean * scale if beta is None else beta - mean * scale
    return call.add(
        ScaleShift(), call.value(call["input"]), scale=(None, scale), shift=(None, shift)
    )


HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    "aten.conv2d.default": _conv2d,
    "aten.conv2d.padding": _conv2d,
    "aten.convolution.default": _conv2d,
    "aten.linear.default": _linear,
    "aten.addmm.default": _addmm,
    "aten.mm.default": _mm,
    "aten.matmul.default": _mm,
    "aten.batch_norm.default": _batch_norm,
}
