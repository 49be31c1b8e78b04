"""Choices → machine addresses: code, arena, argument blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from llvmlite import ir

from gossamer.compile.arena import place_buffers
from gossamer.compile.generator import generator_digest
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.lowering.lower import Lowered
from gossamer.compile.step import Argument, At, Buffer, Choice
from gossamer.jit.target import Target
from gossamer.jit.toolchain import Code, compile_ir, compile_once
from gossamer.runtime.memory import aligned_bytes


@dataclass(frozen=True, eq=False)
class Bound:
    """A choice with addresses.

    Args:
        choice: that was bound.
        step: (2,) int64, addresses of kernel and arguments: a row of the table of steps.
        tables: what the addresses point to, beside the arena; they live as long as this object.
        code: the kernel's machine code; the same.
    """

    choice: Choice
    step: np.ndarray
    tables: tuple[np.ndarray, ...]
    code: Code


class Binding:
    """The memory of one plan, and the addresses in it.

    Args:
        lowered: the steps.
        target: for which code is made.
    """

    def __init__(self, lowered: Lowered, target: Target) -> None:
        self._target = target
        self._offsets, self.arena = self.place(lowered)

    def place(self, lowered: Lowered) -> tuple[dict[Buffer, int], np.ndarray]:
        """Return the memory of all buffers, and where in it each one begins."""
        offsets, size_bytes = place_buffers(lowered.steps, (lowered.input, lowered.output))
        return offsets, aligned_bytes(size_bytes)

    def table(self, array: np.ndarray) -> np.ndarray:
        """Return the array as native code reads it."""
        return np.ascontiguousarray(array)

    def view(self, buffer: Buffer, entries: int) -> np.ndarray:
        """Return the first float32 entries of a buffer."""
        start = self._offsets[buffer]
        return self.arena[start : start + 4 * entries].view(np.float32)

    def bind(self, choice: Choice) -> Bound:
        """Make the choice's code and tables and return it with their addresses."""
        tables: list[np.ndarray] = []
        arguments = choice.build()
        slots = [self._address(arguments[slot], tables) for slot in choice.kernel.slots]
        block = self.table(np.array(slots, np.int64))
        code = kernel_code(choice.kernel, self._target)
        step = code.address(choice.kernel.name(self._target)), block.ctypes.data
        return Bound(choice, np.array(step, np.int64), (*tables, block), code)

    def _address(self, argument: Argument, tables: list[np.ndarray]) -> int:
        if isinstance(argument, Buffer):
            return self.arena.ctypes.data + self._offsets[argument]
        if isinstance(argument, At):
            return self._address(argument.buffer, tables) + argument.offset_bytes
        if isinstance(argument, np.ndarray):
            tables.append(self.table(argument))
            return tables[-1].ctypes.data
        return argument


@lru_cache(maxsize=512)
def kernel_code(kernel: Kernel, target: Target) -> Code:
    """Generate and compile a kernel, or recall it; equal kernels have equal code."""

    def generate() -> str:
        module = ir.Module(kernel.label())
        kernel.emit(module, target)
        return str(module)

    source = generator_digest()
    if not source:
        return compile_ir(generate(), target)
    return compile_once((source, repr(kernel)), generate, target)
