"""What every kernel has: named argument slots, a name, and a function that writes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from llvmlite import ir

from gossamer.jit.emitter import INT32, INT64, POINTER, Emitter, Value, Values
from gossamer.jit.target import Target

_PERMUTES = {8: "llvm.x86.avx2.permps", 16: "llvm.x86.avx512.permvar.sf.512"}
_OF_TWO = "llvm.x86.avx512.vpermi2var.ps.512"

TILE_BYTES = 12
"""Bytes of one entry of a table of pixel tiles: three 32-bit offsets (input, output, pixel)."""


class Kernel(ABC):
    """A generated function; equal records generate equal code.

    Attributes:
        slots: names of the argument slots, in order.
        keeps_infinities: whether an infinity that comes in never makes NaN of what should be one.
    """

    slots: ClassVar[tuple[str, ...]]
    keeps_infinities: ClassVar[bool] = True

    @abstractmethod
    def label(self) -> str:
        """Return the name without the vector extension: number type, operation, tile."""

    @abstractmethod
    def body(self, emitter: KernelEmitter) -> None:
        """Write the loops."""

    def name(self, target: Target) -> str:
        """Return the function's name."""
        return f"{self.label()}-{target.isa}x{target.lanes}"

    def emit(self, module: ir.Module, target: Target) -> None:
        """Write the function into a module."""
        emitter = KernelEmitter(module, self, target)
        self.body(emitter)
        emitter.finish()


def looks_up(target: Target) -> bool:
    """Whether a target has an instruction for `KernelEmitter.look_up`."""
    return target.isa.startswith("avx") and target.lanes in _PERMUTES


class KernelEmitter(Emitter):
    """An emitter that knows a kernel's argument slots."""

    def __init__(self, module: ir.Module, kernel: Kernel, target: Target) -> None:
        super().__init__(module, kernel.name(target), [POINTER, INT64], target.lanes)
        self._slots, self._looks_up = kernel.slots, looks_up(target)

    def pointer(self, slot: str) -> Value:
        """Return the address in a slot."""
        return self.load(POINTER, self.arguments[0], 8 * self._slots.index(slot), align=8)

    def number(self, slot: str) -> Value:
        """Return the integer in a slot."""
        return self.load(INT64, self.arguments[0], 8 * self._slots.index(slot), align=8)

    def share(self, slot: str) -> tuple[Value, Value]:
        """Return this thread's (begin, end) from a table of pairs."""
        pair = self.at(self.pointer(slot), self.multiply(self.arguments[1], 16))
        return self.load(INT64, pair, align=8), self.load(INT64, pair, 8, align=8)

    @contextmanager
    def row_of_tiles(self) -> Iterator[tuple[Value, Value]]:
        """Loop over the rows of a table of pixel tiles; yields (begin, end) of a row.

        The slots "tile_count" and "row_tiles" say how many there are, and how many in a row.
        """
        in_row = self.number("row_tiles")
        with self.loop(0, self.number("tile_count"), in_row) as begin:
            yield begin, self.add(begin, in_row)

    def equal(self, a: Value, b: int | Value) -> Value:
        """Return whether two integers are equal."""
        return self.builder.icmp_signed("==", a, self.integer(b))

    def either(
        self, condition: Value | bool, then: Callable[[], Values], otherwise: Callable[[], Values]
    ) -> Values:
        """Return the values that `then` writes where a condition holds, else those of `otherwise`.

        Both write as many; where the condition is known, only one is written.
        """
        if isinstance(condition, bool):
            return then() if condition else otherwise()
        ways = []
        with self.builder.if_else(condition) as branches:
            for branch, write in zip(branches, (then, otherwise), strict=True):
                with branch:
                    ways.append((write(), self.builder.block))
        (values, _), (others, _) = ways
        merged = [self.builder.phi(value.type) for value in values]
        for phi, *incoming in zip(merged, values, others, strict=True):
            for value, (_, block) in zip(incoming, ways, strict=True):
                phi.add_incoming(value, block)
        return merged

    def offset_in(self, table: Value, index: Value, *, stride: int = 4, field: int = 0) -> Value:
        """Return the 32-bit offset `field` of entry `index` of a table."""
        return self.load_offset(self.at(table, self.multiply(index, stride)), 4 * field)

    def permute(self, vector: Value, lanes: Value, outside: Value | None = None) -> Value:
        """Return, lane by lane, the lane of `vector` that `lanes` says; else `outside`, or zero."""
        inside = self.builder.icmp_signed(">=", lanes, ir.Constant(self.int_vector, None))
        moved = self.look_up([vector], lanes)
        return self.builder.select(
            inside, moved, self.constant(0.0) if outside is None else outside
        )

    @property
    def looks_up_two(self) -> bool:
        """Whether `look_up` takes two vectors."""
        return self._looks_up and self.lanes == 16

    def look_up(self, table: Values, places: Value) -> Value:
        """Return, lane by lane, an entry of one vector, or two; places' other bits do not count."""
        if len(table) == 2:
            return self.intrinsic(_OF_TWO, self.vector, [table[0], places, table[1]])
        if self._looks_up:
            return self.intrinsic(_PERMUTES[self.lanes], self.vector, [table[0], places])
        b, found, last = self.builder, table[0], INT32(self.lanes - 1)
        for lane in map(INT32, range(self.lanes)):
            value = b.extract_element(table[0], b.and_(b.extract_element(places, lane), last))
            found = b.insert_element(found, value, lane)
        return found
