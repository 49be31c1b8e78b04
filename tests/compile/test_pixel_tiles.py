"""Who shares what: tiles of a picture, or channels."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering import direct_conv
from gossamer.compile.lowering.lower import lower
from gossamer.compile.lowering.pixel_tiles import shares_tiles
from gossamer.graph import Graph, Input, Node, Sparse
from gossamer.graph.ops import Conv2d
from gossamer.jit.target import Target


@pytest.mark.parametrize(
    ("tiles", "groups", "threads", "weights", "shared"),
    [
        (8, 64, 2, 10**9, True),  # enough for either
        (4, 64, 2, 1000, True),  # few, but even, and weights are small
        (4, 64, 2, 1001, False),  # each would walk more weights than the picture has bytes
        (3, 64, 2, 10, False),  # one thread would have two of three
        (3, 2, 2, 10**9, True),  # there are fewer groups than tiles
        (1, 1, 2, 10**9, True),
        (1, 64, 2, 1, False),
    ],
)
def test_tiles_are_shared_where_weights_are_small(
    tiles: int, groups: int, threads: int, weights: int, shared: bool
) -> None:
    found = shares_tiles(tiles, groups, threads, weight_bytes=weights, picture_bytes=1000)
    assert found is shared


def test_the_whole_picture_counts() -> None:
    op = Conv2d((1, 1), (1, 1, 1, 1))
    kept = np.arange(16 * 16 * 9).reshape(16, 16, 3, 3) % 10 == 0
    weights = {"w": Sparse.from_dense(kept.astype(np.float32))}
    graph = Graph(
        Input("x", (1, 16, 32, 32)), (Node("c", op, ("x",), {"weight": "w"}),), "c", weights
    )
    target = Target("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma", 8, "avx2")
    step = max(lower(graph, (16, 32, 32), target, 2).steps, key=lambda step: step.macs)
    direct = next(c for c in step.choices if isinstance(c.kernel, ConvKernel))
    with patch.object(direct_conv, "shares_tiles", return_value=True) as asked:
        direct.build()
    assert asked.call_args.kwargs["picture_bytes"] == 4 * 16 * 32 * 32
