"""The loop by which the peak of byte products is measured: does it do what it is counted for?"""

from __future__ import annotations

import re

import numpy as np
import pytest
from llvmlite import ir

from gossamer.jit import function
from gossamer.jit.dot import SHIFTS, WORDS
from gossamer.jit.dot_loop import QUADS, ROWS, VECTORS, turn_bytes, turn_quads, write_dot_loop
from gossamer.jit.target import Target, host_target, narrowed
from gossamer.jit.toolchain import assembly, compile_ir
from tests.jit.emulator import NEON, NEON_DOTS, Emulator, initialise_arm
from tests.jit.test_dot import MACHINES
from tests.jit.test_dot import WORDS as INSTRUCTIONS

ROUNDS, TURNS = 3, 2
PER_QUAD = {"vnni": 1, "sdot": 1, "madd": 2, "plain": 4, "short": 1.5}
"""Multiplications for one vector of quads: each `short` turn widens what two have in common."""


def loop_ir(target: Target, dot: str) -> str:
    module = ir.Module("loop")
    write_dot_loop(module, "dots", target, dot)
    return str(module)


def code_words(data: np.ndarray, dot: str, lanes: int) -> np.ndarray:
    """Return the sums that the loop should leave, (ROWS · vectors, lanes) int32, by plain loops."""
    vectors, quads, words = VECTORS[dot], QUADS.get(dot, 1), WORDS[dot]
    held = data.view(np.int32).reshape(-1, lanes)
    inputs = data.reshape(-1, lanes, 4).astype(np.int64) - SHIFTS.get(dot, 0)
    sums = held[: ROWS * vectors].astype(np.int64)
    for turn in range(TURNS):
        for row in range(ROWS):
            for u in range(quads):
                first = ((turn * ROWS + row) * quads + u) * words
                weights = four_weights(held[first : first + words], dot)
                for v in range(vectors):
                    products = inputs[v * quads + u] * weights
                    sums[row * vectors + v] += ROUNDS * products.sum(1)
    return sums.astype(np.int32)


def four_weights(words: np.ndarray, dot: str) -> np.ndarray:
    """Return (lanes, 4) weights of a quad from its (words, lanes) int32: `pack_weights` undone."""
    if dot == "plain":
        return words.T.astype(np.int64)
    if dot == "madd":
        shorts = words.T.copy().view(np.int16).reshape(-1, 4)
        return shorts[:, [0, 2, 1, 3]].astype(np.int64)
    return words[0].copy().view(np.int8).reshape(-1, 4).astype(np.int64)


def some_data(target: Target) -> np.ndarray:
    """Return bytes with which no sum leaves its bits: small, and at a whole vector's address."""
    room = np.zeros(2**14 + 64, np.uint8)
    first = -room.ctypes.data % 64
    data = room[first : first + 2**14]
    # Bytes 0 and 2 only: as shorts and as words they are small, too.
    data[::2] = np.random.default_rng(0).integers(0, 100, len(data) // 2)
    return data


def cases(target: Target) -> list[str]:
    return list(dict.fromkeys((*target.dots, "plain")))


@pytest.mark.parametrize("isa", ["host", "avx2", "portable"])
def test_sums_are_those_of_plain_loops(isa: str) -> None:
    if isa == "avx2" and not host_target().isa.startswith("avx"):
        pytest.skip("not such a processor")
    target = narrowed(host_target(), isa)
    for dot in cases(target):
        data = some_data(target)
        expected = code_words(data, dot, target.lanes)
        code = compile_ir(loop_ir(target, dot), target)
        loop = function.native_function(
            code, "dots", None, function.POINTER, function.INT64, function.INT64
        )
        loop(data.ctypes.data, ROUNDS, TURNS)
        assert np.array_equal(data.view(np.int32)[: expected.size], expected.ravel()), dot


@pytest.mark.parametrize(("target", "dot"), [(NEON_DOTS, "sdot"), (NEON, "plain")])
def test_so_they_are_on_emulated_arm(target: Target, dot: str) -> None:
    initialise_arm()
    emulator, data = Emulator(target), some_data(target)
    expected = code_words(data, dot, target.lanes)
    code = compile_ir(loop_ir(target, dot), target)
    emulator.call(code.address("dots"), data.ctypes.data, ROUNDS, TURNS)
    assert np.array_equal(data.view(np.int32)[: expected.size], expected.ravel())


@pytest.mark.parametrize(("machine", "dot"), INSTRUCTIONS)
def test_every_product_stays_in_the_loop_and_no_sum_in_memory(machine: str, dot: str) -> None:
    """LLVM may take what does not change out of a loop; then the peak would be one of sums."""
    initialise_arm()
    target = MACHINES[machine]
    code = assembly(loop_ir(target, dot), target)
    body = max(re.findall(r"^\S*LBB\S*:(.*?)(?=^\S*LBB|\Z)", code, re.M | re.S), key=len)
    inner = [line.split("#")[0] for line in body.splitlines()]
    multiplied = [line for line in inner if re.search(r"pmadd|pdpbusd|sdot|mla|pmull", line)]
    assert len(multiplied) == turn_quads(dot) * PER_QUAD[dot]
    assert not [line for line in inner if re.search(r"mov\S*\s+%.mm\d+, |\bst[rp]\s", line)]
    assert turn_bytes(target, dot) % target.vector_bytes == 0
