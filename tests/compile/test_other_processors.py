"""Kernels for processors that this one is not: what is in their code, and, emulated, what it does.

Emulation needs the package `unicorn`; docs/portability.md says what was run where.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from llvmlite import ir

from gossamer.compile.compile import make_plan
from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.kernels.response_norm import ResponseNormKernel
from gossamer.graph import Graph
from gossamer.jit.target import Target, host_target, narrowed
from gossamer.jit.toolchain import assembly, compile_ir
from gossamer.runtime.native import _loop_ir
from tests.compile.not_finite import assert_allowed
from tests.compile.random_cases import BLOCK, TOLERANCE, case
from tests.contracts.test_kernels import KERNELS, runs_anywhere
from tests.jit.emulator import ARM_PORTABLE, NEON, Emulator, initialise_arm

EMULATED = 300
BLOCKS = 10
"""Of seeds that have activations in common."""
CALLING = ResponseNormKernel(0.6)
"""The only kind of kernel that calls the C library: for a power other than the usual 0.75."""


def code_of(kernel: Kernel, target: Target) -> list[str]:
    """Return the instructions of a kernel, without labels and directives."""
    module = ir.Module("kernel")
    kernel.emit(module, target)
    lines = assembly(str(module), target).splitlines()
    return [line.strip() for line in lines if re.match(r"\s+[a-z]", line)]


@pytest.mark.skipif("x86_64" not in host_target().triple, reason="not an x86-64 processor")
@pytest.mark.parametrize("kernel", [*filter(runs_anywhere, KERNELS)], ids=lambda k: k.label())
def test_portable_code_is_sse2_and_calls_nothing(kernel: Kernel) -> None:
    code = code_of(kernel, narrowed(host_target(), "portable"))
    assert "zero" in kernel.label() or any("xmm" in line for line in code)
    assert not [line for line in code if re.search(r"ymm|zmm|^v[a-z]", line)]
    assert kernel == CALLING or not [line for line in code if line.startswith("call")]


@pytest.mark.parametrize("target", [NEON, ARM_PORTABLE], ids=lambda t: t.cpu)
@pytest.mark.parametrize("kernel", [*filter(runs_anywhere, KERNELS)], ids=lambda k: k.label())
def test_arm_code_multiplies_and_adds_in_one_and_calls_nothing(
    kernel: Kernel, target: Target
) -> None:
    initialise_arm()
    code = code_of(kernel, target)
    assert kernel == CALLING or not [line for line in code if re.match(r"(bl|blr)\s", line)]
    if isinstance(kernel, ConvKernel | LinearKernel):
        assert any(line.startswith("fmla") for line in code)


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    initialise_arm()
    return Emulator()


def run_emulated(emulator: Emulator, graph: Graph, x: np.ndarray, target: Target) -> np.ndarray:
    """Return what the program for another processor gives, run by that processor's own loop."""
    careful = not np.isfinite(x).all()
    plan = make_plan(graph, target, 1, False, x.shape[1:], keep_infinities=careful)
    repeat = compile_ir(_loop_ir(target), target)
    images = []
    for image in x:
        plan.input[:] = image.ravel()
        emulator.call(repeat.address("repeat"), *plan.job, 1)
        images.append(plan.output.reshape(plan.output_shape).copy())
    return np.stack(images)


def check(emulator: Emulator, seed: int) -> None:
    tried = case(seed % BLOCKS * BLOCK + seed)
    if any(getattr(node.op, "beta", 0.75) != 0.75 for node in tried.graph.nodes):
        pytest.skip("calls the C library, which is this processor's")
    target = (NEON, ARM_PORTABLE)[seed % 2]
    got = run_emulated(emulator, tried.graph, tried.x, target)
    assert_allowed(tried.graph, tried.x, got, TOLERANCE)


@pytest.mark.parametrize("seed", range(3))
def test_some_random_graphs_on_emulated_arm(emulator: Emulator, seed: int) -> None:
    check(emulator, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, EMULATED))
def test_random_graphs_on_emulated_arm(emulator: Emulator, seed: int) -> None:
    check(emulator, seed)
