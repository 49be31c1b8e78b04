"""Layers of integers, QLinearConv and QLinearMatMul: real layers between levels.

Their inputs are x, w and then the result's scale and zero point, each of x and w followed by its
own scale and zero point. In the graph: the convolution of what x and w mean, rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.convolutions import convolve, multiply
from gossamer.graph.from_onnx.quantisation import real, real_constant, rounded

_WEIGHT, _RESULT_SCALE, _BIAS = 3, 6, 8


def _qlinear_conv(call: Call) -> Value:
    weight = real_constant(call, _WEIGHT, axis=0)
    return rounded(call, convolve(call, real(call, 0), weight, _bias(call, weight)), _RESULT_SCALE)


def _bias(call: Call, weight: Constant) -> Constant | None:
    """Return the bias, whose integers count products of one step of x and one of w."""
    given = call.constant(_BIAS)
    if given is None or weight.grid is None:
        return None
    units = call.needed(1).array.astype(np.float32) * weight.grid.scales
    return Constant(given.array.astype(np.float32) * units, given.origin)


def _qlinear_matmul(call: Call) -> Value:
    weight = real_constant(call, _WEIGHT, axis=1).transposed
    return rounded(call, multiply(call, real(call, 0), weight, None), _RESULT_SCALE)


HANDLERS: Mapping[str, Callable[[Call], Value]] = {
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
}
