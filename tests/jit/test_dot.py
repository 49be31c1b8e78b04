"""Products of bytes become the instructions that they are meant for, on machines that we lack."""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from gossamer.compile.kernels.code_conv import CodeConvKernel
from gossamer.compile.kernels.requantise import Epilogue
from gossamer.jit.dot import pack_weights
from gossamer.jit.target import Target
from gossamer.jit.toolchain import assembly

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
MACHINES = {
    "sapphirerapids": Target(X86, "sapphirerapids", "+avx512vnni,+avx512bw", 16, "avx512"),
    "skylake-avx512": Target(X86, "skylake-avx512", "+avx512bw", 16, "avx512"),
    "alderlake": Target(X86, "alderlake", "+avx2,+avxvnni", 8, "avx2"),
    "haswell": Target(X86, "haswell", "+avx2,+fma", 8, "avx2"),
    "neoverse-n1": Target(ARM, "neoverse-n1", "+neon,+dotprod", 4, "neon"),
    "apple-m1": Target(ARM, "apple-m1", "+neon,+dotprod", 4, "neon"),
    "cortex-a53": Target(ARM, "cortex-a53", "+neon", 4, "neon"),
}
WORDS = {
    ("sapphirerapids", "vnni"): r"vpdpbusd\s.*zmm",
    ("skylake-avx512", "madd"): r"vpmaddwd\s.*zmm",
    ("skylake-avx512", "short"): r"vpmaddubsw\s.*zmm",
    ("alderlake", "vnni"): r"vpdpbusd\s.*ymm",
    ("haswell", "madd"): r"vpmaddwd\s.*ymm",
    ("haswell", "short"): r"vpmaddubsw\s.*ymm",
    ("neoverse-n1", "sdot"): r"sdot\s",
    ("apple-m1", "sdot"): r"sdot[\s.]",
    ("cortex-a53", "plain"): r"mla\s",
}


@pytest.fixture(scope="module", autouse=True)
def all_machines() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@pytest.mark.parametrize("machine", MACHINES)
def test_each_machine_has_its_ways(machine: str) -> None:
    assert MACHINES[machine].dots == tuple(d for m, d in WORDS if m == machine)


@pytest.mark.parametrize(("machine", "dot"), WORDS)
@pytest.mark.parametrize("shared", [True, False])
def test_instructions(machine: str, dot: str, shared: bool) -> None:
    target, module = MACHINES[machine], ir.Module("kernel")
    CodeConvKernel(dot, Epilogue(adds=True), 4, 1, 2, shared=shared, unroll=2).emit(module, target)
    text = assembly(str(module), target)
    assert len(re.findall(WORDS[machine, dot], text)) >= 4
    assert "vpdpbusds" not in text  # that one saturates


def test_packed_weights_keep_their_order() -> None:
    weights = np.array([[[1, -2, 3, -4]]], np.int8)
    pairs = pack_weights(weights, "madd").view(np.int16).ravel().tolist()
    assert pairs == [1, 3, -2, -4]
    assert pack_weights(weights, "vnni").view(np.int8).ravel().tolist() == [1, -2, 3, -4]
    assert pack_weights(weights, "plain").ravel().tolist() == [1, -2, 3, -4]
