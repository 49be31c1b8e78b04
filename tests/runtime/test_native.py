from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir, parse
from gossamer.runtime.native import SHARED_BYTES, STEP_BYTES, _loop_ir, native_loop

COUNT = """
define void @count(ptr %at, i64 %thread) {
  %before = load i64, ptr %at
  %now = add i64 %before, 1
  store i64 %now, ptr %at
  ret void
}
"""

PRODUCT = """
define void @product(ptr %at, i64 %thread) {
entry:
  br label %next
next:
  %i = phi i64 [0, %entry], [3, %next]
  %at_a = getelementptr float, ptr %at, i64 %i
  %at_b = getelementptr float, ptr %at_a, i64 1
  %at_c = getelementptr float, ptr %at_a, i64 2
  %a = load float, ptr %at_a
  %b = load float, ptr %at_b
  %c = fmul float %a, %b
  store float %c, ptr %at_c
  %more = icmp eq i64 %i, 0
  br i1 %more, label %next, label %end
end:
  ret void
}
"""


def test_steps_are_repeated_in_order() -> None:
    code = compile_ir(COUNT, host_target())
    counters = np.zeros(2, np.int64)
    address = code.address("count")
    steps = np.array([[address, counters[i:].ctypes.data] for i in (0, 1, 0)], np.int64)
    assert steps.strides[0] == STEP_BYTES
    native_loop().repeat(steps.ctypes.data, len(steps), 5)
    assert counters.tolist() == [10, 5]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for processors")
def test_a_worker_on_the_processor_of_its_caller_moves_to_another() -> None:
    """Both on one processor, each would wait until the other's share of time is over."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one processor only")
    processor = ctypes.CDLL(None).sched_getcpu
    shared = np.zeros(SHARED_BYTES, np.uint8)
    moved = 0
    for job in range(20):
        before = processor()
        native_loop().announce(shared.ctypes.data, 0, 0)
        native_loop().work(shared.ctypes.data, 0, 1, job, 0)
        moved += processor() != before
    assert moved > 10
    assert os.sched_getaffinity(0) == allowed


def test_importing_the_runtime_does_not_import_llvm() -> None:
    code = "import gossamer.runtime.program, sys; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_kernels_take_tiny_numbers_as_zero_and_the_caller_does_not() -> None:
    """2⁻¹³⁰ is below the smallest normal float32, 2⁻¹²⁶; 2⁻¹⁰⁰ · 2⁻³⁰ is that, too."""
    code = compile_ir(PRODUCT, host_target())
    numbers = np.array([2.0**-100, 2.0**-30, 1.0, 2.0**-130, 1.0, 1.0], np.float32)
    step = np.array([[code.address("product"), numbers.ctypes.data]], np.int64)
    native_loop().repeat(step.ctypes.data, 1, 1)
    assert numbers[2] == 0  # a result
    assert numbers[5] == 0  # an operand
    assert numbers[0] * numbers[1] == np.float32(2.0**-130) > 0


@pytest.mark.parametrize("triple", ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "riscv64"])
def test_the_loop_is_accepted_for_other_machines(triple: str) -> None:
    parse(_loop_ir(replace(host_target(), triple=triple)))
