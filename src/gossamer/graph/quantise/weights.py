"""Weights as integers with a scale for each output channel, biases as multiples of their unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gossamer.graph.graph import Node
from gossamer.graph.layouts import Dense, Layout, Quantised

# Biases below this many units leave room for the sum of products in 32 bits.
_LARGEST_BIAS = 2**30


def integer_weights(
    node: Node, weights: Mapping[str, Layout], input_scale: float, largest: int
) -> dict[str, Layout]:
    """Return role → layout of a layer's weights: quantised weight, bias; the scale multiplied in.

    The weight is rounded symmetrically, the largest entry of each output channel to `largest`;
    zeros stay zeros. A weight that is quantised already keeps its integers.

    Args:
        node: a convolution or linear layer.
        weights: of the graph.
        input_scale: of the levels of its input.
        largest: integer.
    """
    layouts = {role: weights[name] for role, name in node.weights.items()}
    weight, factor = layouts["weight"], layouts.get("scale")
    factors = np.ones(weight.shape[0]) if factor is None else factor.to_dense().astype(np.float64)
    bias = layouts["bias"].to_dense() if "bias" in layouts else None
    if isinstance(weight, Quantised):
        made = Quantised(weight.integers, weight.scales * factors)
    else:
        made = _rounded(weight.to_dense(), factors, bias, input_scale, largest)
    if bias is None:
        return {"weight": made}
    return {"weight": made, "bias": Dense(_multiples(bias, np.float32(input_scale) * made.scales))}


def _rounded(
    array: np.ndarray,
    factors: np.ndarray,
    bias: np.ndarray | None,
    input_scale: float,
    largest: int,
) -> Quantised:
    rows = array.reshape(len(array), -1) * factors[:, None]
    scales = np.abs(rows).max(axis=1, initial=0) / largest
    if bias is not None:  # a bias that dwarfs its weights makes their steps larger
        scales = np.maximum(scales, np.abs(bias) / (_LARGEST_BIAS * input_scale))
    scales = np.where(scales > np.finfo(np.float32).tiny, scales, 1.0).astype(np.float32)
    integers = np.clip(np.rint(rows / scales[:, None].astype(np.float64)), -largest, largest)
    return Quantised(integers.astype(np.int8).reshape(array.shape), scales)


def _multiples(bias: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the bias rounded to whole multiples of the unit of each channel."""
    with np.errstate(all="ignore"):
        multiples = np.rint(bias.astype(np.float64) / units) * units.astype(np.float64)
    return np.where(units != 0, multiples, bias).astype(np.float32)
