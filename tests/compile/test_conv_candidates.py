"""The model counts the cache lines that a tile reads, no others; different kinds are timed."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.compile.choose import MOST_TIMED
from gossamer.compile.lowering.conv_candidates import Windows
from gossamer.compile.lowering.lower import lower
from gossamer.graph import Graph, Input, Node, Sparse
from gossamer.graph.ops import Conv2d
from gossamer.jit.target import Target

SMALL = Target("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma", 8, "avx2", (2**15, 2**18))


@pytest.mark.parametrize(
    ("lanes", "kernel", "stride", "width", "row_bytes", "columns"),
    [
        (16, 1, 1, 7, 7 * 64, 7),
        (16, 1, 2, 7, 7 * 64, 7),  # what lies between is not read
        (16, 3, 2, 7, 15 * 64, 15),
        (8, 1, 1, 7, 4 * 64, 7),
        (8, 1, 1, 8, 4.5 * 64, 8),  # may begin in the middle of a line
        (8, 1, 2, 7, 7 * 64, 7),  # half of each line is
        (4, 1, 1, 1, 64, 1),
    ],
)
def test_lines_of_a_row(
    lanes: int, kernel: int, stride: int, width: int, row_bytes: float, columns: int
) -> None:
    windows = Windows(
        (4, 28), (kernel, kernel), (stride, stride), (1, 1), 10, lanes, 16, (2**15, 2**19)
    )
    assert windows.input_bytes((2, width)) == kernel * 2 * 10 * row_bytes
    assert windows.bytes_per_read((2, width)) == row_bytes / columns


@pytest.mark.parametrize("density", [0.05, 0.1])
def test_blocks_of_taps_are_timed_beside_none(density: float) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((128, 128, 3, 3)) * (rng.random((128, 128, 3, 3)) < density)
    op = Conv2d((2, 2), (1, 1, 1, 1))
    graph = Graph(
        Input("x", (1, 128, 56, 56)),
        (Node("c", op, ("x",), {"weight": "w"}),),
        "c",
        {"w": Sparse.from_dense(weight.astype(np.float32))},
    )
    lowered = lower(graph, (128, 56, 56), SMALL, 1)
    choices = max(lowered.steps, key=lambda step: step.macs).choices[:MOST_TIMED]
    assert {choice.kernel.blocked for choice in choices} == {False, True}
