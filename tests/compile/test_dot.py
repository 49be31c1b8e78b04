"""Products of bytes become the instructions that they are meant for, on machines that we lack."""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from gossamer.compile.kernels.code_conv import CodeConvKernel
from gossamer.compile.kernels.dot import pack_weights
from gossamer.compile.kernels.requantise import Epilogue
from gossamer.compile.lowering.short_turns import LARGEST, short_pairs
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


@pytest.mark.parametrize("top", [255, 127, 1])
@pytest.mark.parametrize("rows", [1, 4, 8])
def test_pairs_never_leave_16_bits(top: int, rows: int) -> None:
    rng = np.random.default_rng(rows)
    weights = np.clip(rng.standard_normal((400, rows, 4)) * 40, -128, 127).astype(np.int8)
    words = weights.view(np.int32)[..., 0]
    of_list = np.sort(rng.integers(0, 9, 400))
    pairs, rest = short_pairs(of_list, words, top)
    assert sorted([*pairs.ravel(), *rest]) == list(range(400))
    assert (of_list[pairs[:, 0]] == of_list[pairs[:, 1]]).all()
    assert (np.diff(of_list[pairs[:, 0]]) >= 0).all()
    assert (np.diff(of_list[rest]) >= 0).all()
    both = weights[pairs].astype(int).reshape(-1, 2, rows, 2, 2)
    for sign in (1, -1):
        sums = np.maximum(sign * both, 0).sum(axis=(1, 4))
        assert sums.max(initial=0) * top <= LARGEST
    assert len(pairs) > (100 if rows == 1 else 20)


def test_quads_that_are_too_large_go_alone() -> None:
    words = np.full((4, 4), 127, np.int8).view(np.int32)
    pairs, rest = short_pairs(np.zeros(4, int), words, 255)
    assert len(pairs) == 0
    assert rest.tolist() == [0, 1, 2, 3]
