from __future__ import annotations

import subprocess
import sys

import numpy as np

from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir
from gossamer.runtime.native import STEP_BYTES, native_loop

COUNT = """
define void @count(ptr %at, i64 %thread) {
  %before = load i64, ptr %at
  %now = add i64 %before, 1
  store i64 %now, ptr %at
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


def test_importing_the_runtime_does_not_import_llvm() -> None:
    code = "import gossamer.runtime.program, sys; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
