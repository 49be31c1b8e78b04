"""Kernels for processors that this one is not: what is in their code, and, emulated, what it does.

Emulation needs the package `unicorn`; docs/portability.md says what was run where.
"""

from __future__ import annotations

import re
from contextlib import nullcontext

import numpy as np
import pytest
from llvmlite import ir

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.kernels.response_norm import ResponseNormKernel
from gossamer.graph import interpret
from gossamer.jit.target import Target, host_target, narrowed
from gossamer.jit.toolchain import assembly
from tests.compile.code_graphs import random_code_graph
from tests.compile.not_finite import assert_allowed
from tests.compile.random_cases import BLOCK, TOLERANCE, any_kernel, case
from tests.contracts.test_kernels import KERNELS, runs_on
from tests.jit.emulator import ARM_PORTABLE, NEON, NEON_DOTS, initialise_arm, run_emulated

EMULATED = 300
CODES = 200
"""Random graphs of codes, whose products of bytes are those of `sdot`."""
BLOCKS = 10
"""Of seeds that have activations in common."""
CALLING = ResponseNormKernel(0.6)
"""The only kind of kernel that calls the C library: for a power other than the usual 0.75."""


ARM_KERNELS = [
    pytest.param(target, kernel, id=f"{kernel.label()}-{target.cpu}")
    for target in (NEON, NEON_DOTS, ARM_PORTABLE)
    for kernel in KERNELS
    if runs_on(kernel, target.dots)
]


def code_of(kernel: Kernel, target: Target) -> list[str]:
    """Return the instructions of a kernel, without labels and directives."""
    module = ir.Module("kernel")
    kernel.emit(module, target)
    lines = assembly(str(module), target).splitlines()
    return [line.strip() for line in lines if re.match(r"\s+[a-z]", line)]


@pytest.mark.skipif("x86_64" not in host_target().triple, reason="not an x86-64 processor")
@pytest.mark.parametrize("kernel", [*filter(runs_on, KERNELS)], ids=lambda k: k.label())
def test_portable_code_is_sse2_and_calls_nothing(kernel: Kernel) -> None:
    code = code_of(kernel, narrowed(host_target(), "portable"))
    assert "zero" in kernel.label() or any("xmm" in line for line in code)
    assert not [line for line in code if re.search(r"ymm|zmm|^v[a-z]", line)]
    assert kernel == CALLING or not [line for line in code if line.startswith("call")]


@pytest.mark.parametrize(("target", "kernel"), ARM_KERNELS)
def test_arm_code_multiplies_and_adds_in_one_and_calls_nothing(
    kernel: Kernel, target: Target
) -> None:
    initialise_arm()
    code = code_of(kernel, target)
    assert kernel == CALLING or not [line for line in code if re.match(r"(bl|blr)\s", line)]
    if isinstance(kernel, ConvKernel | LinearKernel):
        assert any(line.startswith("fmla") for line in code)
    if "sdot" in kernel.label():
        assert any(re.match(r"sdot\s", line) for line in code)


def check(seed: int) -> None:
    tried = case(seed % BLOCKS * BLOCK + seed)
    if any(getattr(node.op, "beta", 0.75) != 0.75 for node in tried.graph.nodes):
        pytest.skip("calls the C library, which is this processor's")
    target = (NEON, ARM_PORTABLE)[seed % 2]
    got, _ = run_emulated(tried.graph, tried.x, target)
    if tried.dot:
        np.testing.assert_array_equal(got, interpret(tried.graph, tried.x))
    else:
        assert_allowed(tried.graph, tried.x, got, TOLERANCE)


def check_codes(seed: int) -> None:
    rng = np.random.default_rng([seed, CODES])
    graph = random_code_graph(rng, largest=12)
    x = np.rint(64 * rng.standard_normal((1, *graph.input.example[1:]))).astype(np.float32) / 16
    with any_kernel(seed) if seed % 2 else nullcontext():
        got, _ = run_emulated(graph, x, NEON_DOTS)
    np.testing.assert_array_equal(got, interpret(graph, x))


@pytest.mark.parametrize("seed", range(3))
def test_some_random_graphs_on_emulated_arm(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize("seed", range(6))
def test_some_random_graphs_of_codes_on_emulated_arm(seed: int) -> None:
    check_codes(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, EMULATED))
def test_random_graphs_on_emulated_arm(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, CODES))
def test_random_graphs_of_codes_on_emulated_arm(seed: int) -> None:
    check_codes(seed)
