"""Steps → machine addresses: code, arena, argument blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from llvmlite import ir

from gossamer.compile.arena import place_buffers
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.lowering.lower import Lowered
from gossamer.compile.step import Argument, At, Buffer, Choice
from gossamer.jit.target import Target
from gossamer.jit.toolchain import Code, compile_ir
from gossamer.runtime.memory import MARGIN_BYTES, aligned_bytes


class Binding:
    """The memory and code of one plan, and the addresses in it.

    Args:
        lowered: the steps.
        target: for which code is made.
    """

    def __init__(self, lowered: Lowered, target: Target) -> None:
        self._target = target
        self._offsets, size_bytes = place_buffers(lowered.steps, (lowered.input, lowered.output))
        self.arena = aligned_bytes(MARGIN_BYTES + size_bytes + MARGIN_BYTES)
        kernels = {choice.kernel for step in lowered.steps for choice in step.choices}
        self.code = compile_kernels(kernels, target)
        self._tables: list[np.ndarray] = []

    def view(self, buffer: Buffer, entries: int) -> np.ndarray:
        """Return the first float32 entries of a buffer."""
        start = MARGIN_BYTES + self._offsets[buffer]
        return self.arena[start : start + 4 * entries].view(np.float32)

    def steps(self, choices: Sequence[Choice]) -> np.ndarray:
        """Return the (n, 2) table of kernel and argument addresses; the binding keeps it alive."""
        rows = [
            (self.code.address(c.kernel.name(self._target)), self._arguments(c)) for c in choices
        ]
        return self._keep(np.array(rows, np.int64).reshape(-1, 2))

    def tables(self) -> tuple[np.ndarray, ...]:
        """Return everything that addresses point to, beside the arena."""
        return tuple(self._tables)

    def forget_tables(self) -> None:
        """Let go of what was tried; steps that were asked for before must not run any more."""
        self._tables.clear()

    def _arguments(self, choice: Choice) -> int:
        block = np.array(
            [self._address(choice.arguments[slot]) for slot in choice.kernel.slots], np.int64
        )
        return self._keep(block).ctypes.data

    def _address(self, argument: Argument) -> int:
        if isinstance(argument, Buffer):
            return self.arena.ctypes.data + MARGIN_BYTES + self._offsets[argument]
        if isinstance(argument, At):
            return self._address(argument.buffer) + argument.offset_bytes
        if isinstance(argument, np.ndarray):
            return self._keep(np.ascontiguousarray(argument)).ctypes.data
        return argument

    def _keep(self, table: np.ndarray) -> np.ndarray:
        self._tables.append(table)
        return table


def compile_kernels(kernels: Iterable[Kernel], target: Target) -> Code:
    """Generate and compile kernels as one module."""
    module = ir.Module("kernels")
    for kernel in sorted(kernels, key=lambda k: k.name(target)):
        kernel.emit(module, target)
    return compile_ir(str(module), target)
