"""Kernels with NEON's dot product of bytes, run by an emulator, equal the interpreter.

That product takes signed bytes, so that codes are lessened by 128, and sums start from what that
takes away. Where the emulator is not installed these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from gossamer.compile.kernels.code_conv import CodeConvKernel
from gossamer.compile.lowering import code_candidates, code_convolution, conv_candidates
from gossamer.compile.lowering.code_candidates import CodeCandidate
from gossamer.graph import Dense, Graph, Input, Node, interpret
from gossamer.graph.layouts import Quantised
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.jit.target import Target
from tests.compile.random_cases import any_kernel
from tests.jit.emulator import NEON, NEON_DOTS, run_emulated

FORMS: dict[str, Callable[[CodeConvKernel], bool]] = {
    "dense": lambda kernel: kernel.shared and not kernel.blocked,
    "sparse": lambda kernel: not kernel.shared and not kernel.blocked,
    "dense blocks": lambda kernel: kernel.shared and kernel.blocked,
    "sparse blocks": lambda kernel: not kernel.shared and kernel.blocked,
    "by rows": lambda kernel: kernel.by_rows,
}
"""Which kernels of a convolution are tried."""


def layer(op: Conv2d | Linear, zero: int, integers: np.ndarray, size: tuple[int, ...]) -> Graph:
    """Return a graph of bytes that count from `zero`, and one layer that reads them."""
    rounding = Quantise(1.0, zero, 0, 255)
    nodes = (
        Node("in", rounding, ("x",)),
        Node("out", op, ("in",), {"weight": "w", "bias": "b"}),
    )
    bias = Dense(np.arange(len(integers), dtype=np.float32) - 3)
    weights = {"w": Quantised(integers.astype(np.int8), np.ones(len(integers))), "b": bias}
    return Graph(Input("x", (1, *size)), nodes, "out", weights)


def check(graph: Graph, x: np.ndarray, target: Target, dot: str) -> None:
    got, reports = run_emulated(graph, x, target)
    assert any(dot in report.kernel for report in reports)
    np.testing.assert_array_equal(got, interpret(graph, x))


@pytest.mark.parametrize(("target", "dot"), [(NEON_DOTS, "sdot"), (NEON, "plain")])
@pytest.mark.parametrize("zero", [0, 127, 128, 255])
@pytest.mark.parametrize("weight", [-128, 127])
def test_the_largest_products(target: Target, dot: str, zero: int, weight: int) -> None:
    codes = np.tile([0, 255, 127, 128, 1], 60)[:, None, None] - np.float32(zero)
    x = np.broadcast_to(codes, (1, 300, 2, 3)).astype(np.float32)
    graph = layer(Conv2d(), zero, np.full((5, 300, 1, 1), weight), (300, 2, 3))
    check(graph, x, target, dot)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_every_kind_of_kernel_of_a_convolution(form: str, density: float) -> None:
    """Padding is the code of zero, which is not a byte of zeros, nor one of 128."""
    rng = np.random.default_rng(0)
    integers = rng.integers(-128, 128, (13, 70, 3, 3)) * (rng.random((13, 70, 3, 3)) < density)
    graph = layer(Conv2d(padding=(1, 2, 0, 1)), 17, integers, (70, 7, 6))
    x = np.rint(100 * rng.standard_normal((1, 70, 7, 6))).astype(np.float32)

    def of_form(*args: Any, **options: Any) -> list[CodeCandidate]:
        with patch.object(code_candidates, "SPARSE_BELOW", 2.0):
            found = code_candidates.code_candidates(*args, **options)
        return [candidate for candidate in found if FORMS[form](candidate.kernel)]

    with ExitStack() as changes:
        changes.enter_context(any_kernel(0))
        shares = (0.02, 0.002 if form == "by rows" else 1.0)  # of both caches
        changes.enter_context(patch.object(conv_candidates, "CACHE_SHARES", shares))
        changes.enter_context(patch.object(code_candidates, "MOST_CHOICES", 10_000))
        changes.enter_context(patch.object(code_convolution, "code_candidates", of_form))
        check(graph, x, NEON_DOTS, "u8-conv-")


@pytest.mark.parametrize("features", [1, 64, 301])
@pytest.mark.parametrize("density", [1.0, 0.6])
def test_linear_layers(features: int, density: float) -> None:
    rng = np.random.default_rng(features)
    integers = rng.integers(-128, 128, (37, features)) * (rng.random((37, features)) < density)
    graph = layer(Linear("relu"), 200, integers, (features,))
    x = np.rint(100 * rng.standard_normal((2, features))).astype(np.float32)
    check(graph, x, NEON_DOTS, "u8-linear-4-sdot")
