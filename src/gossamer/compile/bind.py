"""Choices → machine addresses: code, arena, argument blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from llvmlite import ir

from gossamer.compile.arena import place_buffers
from gossamer.compile.generator import generator_digest
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.lowering.lower import Lowered
from gossamer.compile.step import At, Buffer, Choice
from gossamer.jit.target import Target
from gossamer.jit.toolchain import Code, load_objects, object_code, object_once
from gossamer.runtime.memory import aligned_bytes, round_up


@dataclass(frozen=True, eq=False)
class Bound:
    """A choice with addresses.

    Args:
        choice: that was bound.
        step: (2,) int64, addresses of kernel and arguments: a row of the table of steps.
        arguments: (slots,) int64; what they point to lives as long as this object.
        tables: slot → the table that its argument points to.
        code: the kernel's machine code.
    """

    choice: Choice
    step: np.ndarray
    arguments: np.ndarray
    tables: Mapping[int, np.ndarray]
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
        self._codes: dict[Kernel, Code] = {}

    def place(self, lowered: Lowered) -> tuple[dict[Buffer, int], np.ndarray]:
        """Return the memory of all buffers, and where in it each one begins."""
        offsets, size_bytes = place_buffers(lowered.steps, [lowered.input], [lowered.output])
        return offsets, aligned_bytes(size_bytes)

    def table(self, array: np.ndarray) -> np.ndarray:
        """Return the array as native code reads it."""
        return np.ascontiguousarray(array)

    def view(self, buffer: Buffer, entries: int) -> np.ndarray:
        """Return the first float32 entries of a buffer."""
        start = self._offsets[buffer]
        return self.arena[start : start + 4 * entries].view(np.float32)

    def load(self, choices: Iterable[Choice]) -> None:
        """Make the code of choices ready, all that is new together: that is quicker."""
        new = {choice.kernel for choice in choices} - set(self._codes)
        if new:
            objects = [kernel_object(kernel, self._target) for kernel in new]
            self._codes |= dict.fromkeys(new, load_objects(objects, self._target))

    def bind(self, choice: Choice) -> Bound:
        """Make the choice's code and tables and return it with their addresses."""
        self.load([choice])
        values = choice.build()
        tables, addresses = {}, []
        for index, slot in enumerate(choice.kernel.slots):
            value = values[slot]
            if isinstance(value, np.ndarray):
                tables[index] = self.table(value)
                value = tables[index].ctypes.data
            addresses.append(self._address(value))
        arguments = self.table(np.array(addresses, np.int64))
        code = self._codes[choice.kernel]
        step = code.address(choice.kernel.name(self._target)), arguments.ctypes.data
        return Bound(choice, np.array(step, np.int64), arguments, tables, code)

    def gather(self, chosen: Sequence[Bound]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Return the table of steps, and the memory that it points to beside the arena.

        What the steps read lies side by side, in their order: on huge pages a large network then
        runs some percent faster.
        """
        parts = [part for bound in chosen for part in (bound.arguments, *bound.tables.values())]
        ends = np.cumsum([round_up(part.nbytes) for part in parts], dtype=np.int64)
        memory = aligned_bytes(int(ends[-1]) if parts else 0)
        places = [
            memory[end - round_up(p.nbytes) :][: p.nbytes]
            for p, end in zip(parts, ends, strict=True)
        ]
        for place, part in zip(places, parts, strict=True):
            place[:] = part.reshape(-1).view(np.uint8)
        steps = np.array([bound.step for bound in chosen], np.int64).reshape(-1, 2)
        following = iter(places)
        for step, bound in zip(steps, chosen, strict=True):
            arguments = next(following).view(np.int64)
            step[1] = arguments.ctypes.data
            for slot in bound.tables:
                arguments[slot] = next(following).ctypes.data
        return steps, (memory,)

    def _address(self, argument: Buffer | At | int) -> int:
        if isinstance(argument, At):
            return self._address(argument.buffer) + argument.offset_bytes
        if isinstance(argument, Buffer):
            return self.arena.ctypes.data + self._offsets[argument]
        return argument


@lru_cache(maxsize=512)
def kernel_object(kernel: Kernel, target: Target) -> bytes:
    """Generate and compile a kernel, or recall it; equal kernels have equal code."""

    def generate() -> str:
        module = ir.Module(kernel.label())
        kernel.emit(module, target)
        return str(module)

    source = generator_digest()
    if not source:
        return object_code(generate(), target)
    return object_once((source, repr(kernel)), generate, target)
