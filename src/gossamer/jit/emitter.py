"""Small helpers over llvmlite's IR builder, so that a kernel reads like the loop nest it is.

Pointers are opaque, offsets are in bytes, integers are 64-bit unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from llvmlite import ir

POINTER = ir.PointerType()
BYTE = ir.IntType(8)
INT16 = ir.IntType(16)
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
FLOAT = ir.FloatType()
DOUBLE = ir.DoubleType()
VOID = ir.VoidType()

Value = Any
Values = list[Value]


class Emitter:
    """Writes one function into a module.

    Args:
        module: to write into.
        name: of the function.
        arguments: types of its arguments.
        lanes: float32 numbers in a vector.
        result: type returned.
    """

    def __init__(
        self,
        module: ir.Module,
        name: str,
        arguments: Sequence[ir.Type],
        lanes: int,
        result: ir.Type = VOID,
    ) -> None:
        self.module, self.lanes = module, lanes
        self.vector = ir.VectorType(FLOAT, lanes)
        self.int_vector = ir.VectorType(INT32, lanes)
        self.vector_bytes = 4 * lanes
        self._undefined = ir.Constant(self.vector, ir.Undefined)
        self._first_lane = ir.Constant(self.int_vector, None)
        self.function = ir.Function(module, ir.FunctionType(result, arguments), name)
        self.function.attributes.add("nounwind")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments: tuple[Value, ...] = tuple(self.function.args)

    # ── integers ──────────────────────────────────────────────────────────────────────────────
    def integer(self, value: int | Value) -> Value:
        """Return a 64-bit constant, or the value as it is."""
        return _whole(value) if isinstance(value, int) else value

    def add(self, a: int | Value, b: int | Value) -> Value:
        """Return a + b."""
        return self.builder.add(self.integer(a), self.integer(b))

    def multiply(self, a: int | Value, b: int | Value) -> Value:
        """Return a · b."""
        return self.builder.mul(self.integer(a), self.integer(b))

    def minimum(self, a: Value, b: Value) -> Value:
        """Return the smaller of two integers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    # ── memory ────────────────────────────────────────────────────────────────────────────────
    def at(self, pointer: Value, offset: int | Value) -> Value:
        """Return `pointer` moved by `offset` bytes."""
        if isinstance(offset, int) and offset == 0:
            return pointer
        return self.builder.gep(pointer, [self.integer(offset)], source_etype=BYTE)

    def load(
        self, kind: ir.Type, pointer: Value, offset: int | Value = 0, *, align: int = 4
    ) -> Value:
        """Load a value of type `kind`."""
        return self.builder.load(self.at(pointer, offset), typ=kind, align=align)

    def load_offset(self, pointer: Value, offset: int | Value = 0) -> Value:
        """Load a 32-bit offset as a 64-bit integer."""
        return self.builder.sext(self.load(INT32, pointer, offset), INT64)

    def load_vector(self, pointer: Value, offset: int | Value = 0) -> Value:
        """Load an aligned vector."""
        return self.load(self.vector, pointer, offset, align=self.vector_bytes)

    def store(
        self, value: Value, pointer: Value, offset: int | Value = 0, *, align: int = 4
    ) -> None:
        """Store a value."""
        self.builder.store(value, self.at(pointer, offset), align=align)

    def store_vector(self, value: Value, pointer: Value, offset: int | Value = 0) -> None:
        """Store an aligned vector."""
        self.store(value, pointer, offset, align=self.vector_bytes)

    def scratch(self, vectors: int) -> Value:
        """Return memory for some vectors, which lasts as long as the function runs."""
        with self.builder.goto_entry_block():
            memory = self.builder.alloca(self.vector, INT32(vectors))
        memory.align = self.vector_bytes  # type: ignore[assignment]
        return memory

    def prefetch(self, pointer: Value, offset: int, *, cache: int = 1) -> None:
        """Ask for the line of a cache at an address that will be read soon; any address will do.

        The first cache is for what is read next, the second (`cache=2`) for what comes later.
        """
        arguments = [self.at(pointer, offset), INT32(0), INT32(4 - cache), INT32(1)]
        self.intrinsic("llvm.prefetch.p0", VOID, arguments)

    def barrier(self) -> None:
        """Let LLVM move no read or write from one side of this place to the other."""
        nothing = ir.FunctionType(VOID, [])
        self.builder.asm(nothing, "", "~{memory}", [], side_effect=True)

    def gather(self, pointer: Value, offsets: Value) -> Value:
        """Load one float32 a lane from 32-bit byte offsets; a negative offset gives zero."""
        b, nothing = self.builder, ir.Constant(self.int_vector, None)
        inside = b.icmp_signed(">=", offsets, nothing)
        wide = ir.VectorType(INT64, self.lanes)
        base = b.insert_element(
            ir.Constant(wide, ir.Undefined), b.ptrtoint(pointer, INT64), INT32(0)
        )
        bases = b.shuffle_vector(base, base, ir.Constant(self.int_vector, None))
        safe = b.sext(b.select(inside, offsets, nothing), wide)
        pointers = b.inttoptr(b.add(bases, safe), ir.VectorType(POINTER, self.lanes))
        suffix = f"v{self.lanes}f32.v{self.lanes}p0"
        return self.intrinsic(
            f"llvm.masked.gather.{suffix}",
            self.vector,
            [pointers, ir.Constant(INT32, 4), inside, self.constant(0.0)],
        )

    # ── vectors ───────────────────────────────────────────────────────────────────────────────
    def constant(self, value: float) -> Value:
        """Return a vector with `value` in every lane."""
        return _in_all_lanes(float(value).hex(), self.lanes)

    def integers(self, value: int) -> Value:
        """Return a vector with a 32-bit integer in every lane."""
        return ir.Constant(self.int_vector, [INT32(value)] * self.lanes)

    def splat(self, scalar: Value) -> Value:
        """Return a vector with a float32 value in every lane."""
        first = self.builder.insert_element(self._undefined, scalar, _whole(0))
        return self.builder.shuffle_vector(first, first, self._first_lane)

    def intrinsic(self, name: str, result: ir.Type, arguments: Sequence[Value]) -> Value:
        """Call an LLVM intrinsic by its full name."""
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(
                self.module, ir.FunctionType(result, [a.type for a in arguments]), name
            )
        return self.builder.call(function, arguments)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a · b + c, for vectors or scalars; rounded once if the processor has that.

        Where it has not, LLVM's `fma` would be a call of the C library for each lane.
        """
        suffix = "f32" if a.type == FLOAT else f"v{self.lanes}f32"
        return self.intrinsic(f"llvm.fmuladd.{suffix}", a.type, [a, b, c])

    def nonzero(self, mask: Value) -> Value:
        """Return, lane by lane, whether an integer is not zero."""
        return self.builder.icmp_signed("!=", mask, ir.Constant(self.int_vector, None))

    def select_nonzero(self, mask: Value, a: Value, b: Value) -> Value:
        """Return, lane by lane, `a` where the integer mask is not zero, else `b`."""
        return self.builder.select(self.nonzero(mask), a, b)

    def larger(self, a: Value, b: Value) -> Value:
        """Return the larger of each lane; a NaN in either stays (as numpy's `maximum`)."""
        larger = self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)
        return self.builder.select(self.builder.fcmp_unordered("uno", a, a), a, larger)

    def transpose(self, rows: Sequence[Value]) -> list[Value]:
        """Return as many vectors as there are lanes, the columns of as many rows.

        In steps that x86 has one instruction for: 4×4 numbers at a time, then those as blocks.
        """
        groups = [self._transpose_four(rows[i : i + 4]) for i in range(0, self.lanes, 4)]
        columns = [self._transpose_blocks(list(blocks)) for blocks in zip(*groups, strict=True)]
        return [column for of_block in zip(*columns, strict=True) for column in of_block]

    def _transpose_four(self, rows: Sequence[Value]) -> list[Value]:
        """Transpose 4×4 numbers in each quarter of 128 bits."""
        a, b, c, d = rows
        low, high = self._zip(a, b, 1), self._zip(c, d, 1)
        pairs = [
            self._zip(low[0], high[0], 2),
            self._zip(low[1], high[1], 2),
        ]
        return [*pairs[0], *pairs[1]]

    def _zip(self, a: Value, b: Value, size: int) -> tuple[Value, Value]:
        """Interleave pieces of `size` numbers, in each quarter, of the lower and upper halves."""
        low = [
            quarter + lane + side
            for quarter in range(0, self.lanes, 4)
            for piece in range(0, 2, size)
            for side in (0, self.lanes)
            for lane in range(piece, piece + size)
        ]
        return self.shuffle(a, b, low), self.shuffle(a, b, [lane + 2 for lane in low])

    def _transpose_blocks(self, vectors: list[Value]) -> list[Value]:
        """Transpose a square of pieces of 4 numbers: first which have even numbers, then odd."""
        if len(vectors) == 1:
            return vectors
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        starts = range(0, 2 * self.lanes, 8)
        even, odd = (
            self._transpose_blocks(
                [
                    self.shuffle(a, b, [s + at + i for s in starts for i in range(4)])
                    for a, b in pairs
                ]
            )
            for at in (0, 4)
        )
        return [vector for both in zip(even, odd, strict=True) for vector in both]

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Return the numbers of `a`, followed by those of `b`, that `lanes` names."""
        order = ir.Constant(self.int_vector, [INT32(lane) for lane in lanes])
        return self.builder.shuffle_vector(a, b, order)

    # ── control flow ──────────────────────────────────────────────────────────────────────────
    @contextmanager
    def loop(self, start: int | Value, stop: int | Value, step: int | Value = 1) -> Iterator[Value]:
        """Run the body for i = start, start + step, … while i < stop; yields i."""
        with self.carried_loop(start, stop, step, []) as (index, _, _):
            yield index

    @contextmanager
    def carried_loop(
        self,
        start: int | Value,
        stop: int | Value,
        step: int | Value,
        initial: Sequence[Value],
    ) -> Iterator[tuple[Value, list[Value], Callable[[Sequence[Value]], None]]]:
        """Run a loop that carries values in registers.

        Yields (index, carried values, set_next); call `set_next` once with the values for the next
        turn. After the loop, `loop_results` holds the final values.
        """
        builder = self.builder
        before = builder.block
        head = self.function.append_basic_block("loop")
        body = self.function.append_basic_block("body")
        after = self.function.append_basic_block("after")
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(INT64)
        index.add_incoming(self.integer(start), before)
        carried = [builder.phi(value.type) for value in initial]
        for phi, value in zip(carried, initial, strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", index, self.integer(stop)), body, after)
        builder.position_at_end(body)
        following: list[Value] = list(carried)

        def set_next(values: Sequence[Value]) -> None:
            following[:] = values

        yield index, list(carried), set_next
        index.add_incoming(self.add(index, step), builder.block)
        for phi, value in zip(carried, following, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        self.loop_results = carried

    def finish(self, value: Value | None = None) -> None:
        """End the function."""
        if value is None:
            self.builder.ret_void()
        else:
            self.builder.ret(value)


# Constants remember their text: made once each, kernels are written a third faster.
@lru_cache(maxsize=4096)
def _whole(value: int) -> ir.Constant:
    return ir.Constant(INT64, value)


@lru_cache(maxsize=4096)
def _in_all_lanes(hexadecimal: str, lanes: int) -> ir.Constant:
    """By the text of the number: 0.0 and −0.0 are equal, but not the same."""
    value = ir.Constant(FLOAT, float.fromhex(hexadecimal))
    return ir.Constant(ir.VectorType(FLOAT, lanes), [value] * lanes)
