"""Code of a 64-bit ARM processor, run by an emulator in this process's own memory.

LLVM loads foreign object files as it loads its own: addresses in the code are filled in, and the
code lies in this process's memory, where this processor must not run it. The emulator is given the
same memory at the same addresses, page by page as the code asks for it: tables and arenas that were
made for a program here are those that the code reads there.
"""

from __future__ import annotations

import mmap
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from gossamer.compile.compile import make_plan
from gossamer.graph import Graph
from gossamer.jit.target import Target
from gossamer.jit.toolchain import compile_ir
from gossamer.runtime.native import _loop_ir
from gossamer.runtime.plan import StepReport

NEON = Target("aarch64-unknown-linux-gnu", "cortex-a72", "+neon", 4, "neon")
NEON_DOTS = Target("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon,+dotprod", 4, "neon")
"""With one instruction for products of bytes."""
ARM_PORTABLE = Target("aarch64-unknown-linux-gnu", "generic", "", 4, "portable")
_STACK_BYTES = 2**16
_FLOATS_ON = 0b11 << 20
"""Of the register CPACR_EL1: floats do not trap."""


def initialise_arm() -> None:
    """Make LLVM's code generator for 64-bit ARM ready, on any machine."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


class Emulator:
    """A 64-bit ARM processor; skips the test where the package `unicorn` is not installed.

    Args:
        target: whose instructions it has; without dot products of bytes, they are a fault.
    """

    def __init__(self, target: Target) -> None:
        initialise_arm()
        self._unicorn: Any = pytest.importorskip("unicorn", reason="the emulator is not installed")
        self._arm: Any = pytest.importorskip("unicorn.arm64_const")
        has_dots = "sdot" in target.dots
        self._model = self._arm.UC_CPU_ARM64_MAX if has_dots else self._arm.UC_CPU_ARM64_A72
        self._stack = np.zeros(_STACK_BYTES, np.uint8)

    def call(self, address: int, *arguments: int) -> None:
        """Run a function of up to eight integers or addresses to its end."""
        # A new one each time: it remembers code, and other code may lie there by now.
        machine = self._unicorn.Uc(self._unicorn.UC_ARCH_ARM64, self._unicorn.UC_MODE_ARM)
        machine.ctl_set_cpu_model(self._model)
        machine.hook_add(self._unicorn.UC_HOOK_MEM_UNMAPPED, self._give_page)
        stop = (self._stack.ctypes.data + _STACK_BYTES) // 16 * 16 - 16  # no code is there
        registers = {
            self._arm.UC_ARM64_REG_CPACR_EL1: _FLOATS_ON,
            self._arm.UC_ARM64_REG_SP: stop,
            self._arm.UC_ARM64_REG_LR: stop,
        }
        registers |= {self._arm.UC_ARM64_REG_X0 + i: value for i, value in enumerate(arguments)}
        for register, value in registers.items():
            machine.reg_write(register, value)
        machine.emu_start(address, stop)

    def _give_page(self, machine: Any, kind: int, address: int, *_: object) -> bool:
        page = address - address % mmap.PAGESIZE
        machine.mem_map_ptr(page, mmap.PAGESIZE, self._unicorn.UC_PROT_ALL, page)
        return True


def run_emulated(
    graph: Graph, x: np.ndarray, target: Target
) -> tuple[np.ndarray, tuple[StepReport, ...]]:
    """Return what the program for another processor gives, run by that processor's own loop.

    And the reports of its steps.
    """
    emulator = Emulator(target)
    careful = not np.isfinite(x).all()
    plan = make_plan(graph, target, 1, False, x.shape[1:], keep_infinities=careful)
    repeat = compile_ir(_loop_ir(target), target)
    images = []
    for image in x:
        plan.input[:] = image.ravel()
        emulator.call(repeat.address("repeat"), *plan.job, 1)
        images.append(plan.output.reshape(plan.output_shape).copy())
    return np.stack(images), plan.reports
