"""What is quantised, as ONNX writes it: integers, and the operators that make them real again.

    x ─ QuantizeLinear ─ DequantizeLinear ─ Conv ─ …
                    weight ─ DequantizeLinear ─┘

Engines look for this form and run what stands between two such pairs in integers. A bias is written
as int32 if it is a whole multiple of the scale that sums of products then have.
"""

from __future__ import annotations

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import Quantise


def onnx_levels(op: Quantise) -> tuple[type, int, int, int]:
    """Return the type that holds the levels, and (zero_point, low, high) in it.

    Examples:
        >>> onnx_levels(Quantise(0.5, 3, -5, 150))
        (<class 'numpy.uint8'>, 8, 0, 155)
    """
    signed = op.low < 0 and op.high <= 127
    offset = op.low if op.low < 0 and not signed else 0  # moving all levels changes nothing
    dtype = np.int8 if signed else np.uint8
    return dtype, op.zero_point - offset, op.low - offset, op.high - offset


def weight_grid(graph: Graph, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a node's weight as (integers, scales), None if ONNX cannot have it so."""
    layout = graph.weights[node.weights["weight"]] if "weight" in node.weights else None
    if not isinstance(layout, Quantised):
        return None
    scales = layout.scales
    if "scale" in node.weights:
        scales = scales * graph.weights[node.weights["scale"]].to_dense()
    return (layout.integers, scales) if (scales > 0).all() and np.isfinite(scales).all() else None


def bias_grid(graph: Graph, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a node's bias as (int32, scales) if that is exact, None if it must stay float."""
    grid = weight_grid(graph, node)
    source = next((n for n in graph.nodes if n.name == node.inputs[0]), None)
    if grid is None or source is None or not isinstance(source.op, Quantise):
        return None
    bias = graph.weights[node.weights["bias"]].to_dense()
    scales = np.float32(source.op.scale) * grid[1]
    with np.errstate(all="ignore"):
        integers = np.rint(bias.astype(np.float64) / scales)
    if not (np.isfinite(integers).all() and (np.abs(integers) < 2**31).all() and scales.all()):
        return None
    exact = np.array_equal(integers.astype(np.float32) * scales, bias)
    return (integers.astype(np.int32), scales) if exact else None
