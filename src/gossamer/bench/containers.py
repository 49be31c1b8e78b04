"""Files that networks are commonly kept in: what one takes for the same network, in bytes.

name                     weights                                          exact
safetensors-fp32         four bytes each, zeros included                  yes
safetensors-fp16         two bytes each                                   no
onnx-int8-zstandard      int8 and a scale a channel, zstandard level 22   where steps are even
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gossamer.bench.codecs import zstandard_compress
from gossamer.codec.mixing.grid import grid_of
from gossamer.graph import Codebook, Graph, Layout, Quantised
from gossamer.graph.to_onnx import to_onnx
from gossamer.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_MOST = 127


def _safetensors(dtype: DTypeLike) -> Callable[[Graph], int]:
    def size_bytes(graph: Graph) -> int:
        from safetensors.numpy import save

        with np.errstate(over="ignore"):
            dense = {
                name: np.ascontiguousarray(layout.to_dense(), dtype)
                for name, layout in graph.weights.items()
            }
        return len(save(dense))

    return size_bytes


def _onnx_int8(graph: Graph) -> int:
    """Return the bytes of an ONNX file with int8 weights, compressed."""
    weights = {name: in_bytes(layout) for name, layout in graph.weights.items()}
    model = to_onnx(replace(graph, weights=weights))
    return len(zstandard_compress(model.SerializeToString()))


def in_bytes(layout: Layout) -> Layout:
    """Return a codebook as int8 on one step, rounded if its values are not such; others as given.

    Examples:
        >>> in_bytes(Codebook.from_dense(np.float32([[0.5, 0, -1.5]]))).integers.tolist()
        [[1, 0, -3]]
    """
    if not isinstance(layout, Codebook) or len(layout.shape) < 2 or not len(layout.centroids):
        return layout
    grid = grid_of(layout.centroids)
    if grid is not None and np.abs(grid[1]).max() <= _MOST:
        step = grid[0]
    else:
        step = np.abs(layout.centroids).max() / np.float32(_MOST)
    integers = np.rint(layout.to_dense().astype(np.float64) / float(step)).astype(np.int8)
    return Quantised(integers, np.full(layout.shape[0], step, np.float32))


SAFETENSORS_FP32 = _safetensors(np.float32)
SAFETENSORS_FP16 = _safetensors(np.float16)
ONNX_INT8 = _onnx_int8

CONTAINERS = Registry(
    "container",
    {
        "safetensors-fp32": "gossamer.bench.containers:SAFETENSORS_FP32",
        "safetensors-fp16": "gossamer.bench.containers:SAFETENSORS_FP16",
        "onnx-int8-zstandard": "gossamer.bench.containers:ONNX_INT8",
    },
)


def container_sizes(graph: Graph, names: Sequence[str]) -> dict[str, int | None]:
    """Return the bytes that a graph takes in each container; None if a package is not installed.

    Raises:
        UnknownNameError: for a name that there is not.
    """
    return {name: _size(CONTAINERS[name], graph) for name in names}


def _size(container: Callable[[Graph], int], graph: Graph) -> int | None:
    try:
        return container(graph)
    except ImportError:
        return None
