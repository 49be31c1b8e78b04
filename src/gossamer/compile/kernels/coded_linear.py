"""Linear layers whose weights are read as codes, each row of them times a factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.coded_weights import CodedWeights
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.compile.kernels.linear import PREFETCH_BYTES, lanes_of_inputs
from gossamer.compile.kernels.turn import read_offsets, take_offsets
from gossamer.jit.emitter import BYTE, FLOAT, INT64, Value

_SLOTS = ("input", "output", "stream", "table", "factors", "biases", "block_shares")


@dataclass(frozen=True)
class CodedLinearKernel(Kernel):
    """y = activation(factor · (W x) + bias) for flat x; no zero is skipped.

    Args:
        weights: what codes mean.
        tail: columns after those that fill whole words.
        activation: applied before the store.
        vectors: of rows in a block: sums that do not wait for each other.

    Stream of a block: for as many columns as fit a word, one word a row; the last may be in part.
    """

    weights: CodedWeights
    tail: int
    activation: str = "identity"
    vectors: int = 1

    slots: ClassVar[tuple[str, ...]] = (*_SLOTS, "turns")

    def label(self) -> str:
        """Return for example "f32-linear-dense4-codes16-relu"."""
        tail = f"-{self.tail}" if self.tail else ""
        return f"f32-linear-dense{self.vectors}-{self.weights.label()}{tail}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block, whole words, then what is left."""
        e = emitter
        x, stream, turns = e.pointer("input"), e.pointer("stream"), e.number("turns")
        held = self.weights.load(e, e.pointer("table"))
        turn_bytes = self.vectors * e.vector_bytes
        step = 4 * self.weights.per_word
        block_bytes = e.multiply(e.add(turns, 1 if self.tail else 0), turn_bytes)
        with e.loop(*e.share("block_shares")) as block:
            start = e.at(stream, e.multiply(block, block_bytes))
            first = [start, x, *[e.constant(0.0)] * self.vectors]
            with e.carried_loop(0, turns, 1, first) as (_, (at, source, *sums), set_next):
                for line in range(0, turn_bytes, 64):
                    e.prefetch(at, PREFETCH_BYTES + line)
                sums = self._add(e, held, at, source, sums, self.weights.per_word)
                set_next([e.at(at, turn_bytes), e.at(source, step), *sums])
            at, source, *sums = e.loop_results
            if self.tail:
                sums = self._add(e, held, at, source, sums, self.tail)
            _finish(e, block, sums, self.activation)

    def _add(
        self, e: KernelEmitter, held: Values, at: Value, source: Value, sums: Values, columns: int
    ) -> Values:
        """Return the sums after some columns."""
        words = [e.load(e.int_vector, at, v * e.vector_bytes) for v in range(self.vectors)]
        for c in range(columns):
            entry, place = e.splat(e.load(FLOAT, source, 4 * c)), c * self.weights.bits
            weights = [self.weights.take(e, held, word, place) for word in words]
            sums = [e.fma(w, entry, total) for w, total in zip(weights, sums, strict=True)]
        return sums


@dataclass(frozen=True)
class SparseCodedLinearKernel(Kernel):
    """y = activation(factor · (W x) + bias) for flat x; rows are lanes, each with its own columns.

    Rows are padded with zero weights, at places where they are zero, to the longest of the block.

    Args:
        weights: what codes mean.
        activation: applied before the store.
        wide: whether columns have 32 bits, not 16.

    Stream of one turn: a byte of code a lane, then one column a lane.
    Record of a block: stream offset, turns (64-bit each).
    """

    weights: CodedWeights
    activation: str = "identity"
    wide: bool = False

    slots: ClassVar[tuple[str, ...]] = (*_SLOTS, "blocks")

    @property
    def column_bytes(self) -> int:
        """Bytes of a column's number."""
        return 4 if self.wide else 2

    def turn_bytes(self, lanes: int) -> int:
        """Bytes of the stream that one turn reads."""
        return (1 + self.column_bytes) * lanes

    def label(self) -> str:
        """Return for example "f32-linear-sparse-codes32-relu"."""
        words = ["f32-linear-sparse", self.weights.label(), self.activation]
        return "-".join(words + ["wide"] * self.wide)

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block, accumulate over its stream."""
        e, b = emitter, emitter.builder
        x, stream, blocks = e.pointer("input"), e.pointer("stream"), e.pointer("blocks")
        held = self.weights.load(e, e.pointer("table"))
        turn_bytes = self.turn_bytes(e.lanes)
        with e.loop(*e.share("block_shares")) as block:
            record = e.at(blocks, e.multiply(block, 16))
            start = e.at(stream, e.load(INT64, record, align=8))
            turns = e.load(INT64, record, 8, align=8)
            first = [start, e.constant(0.0)]
            with e.carried_loop(0, turns, 1, first) as (_, (at, total), set_next):
                e.prefetch(at, PREFETCH_BYTES)
                words = read_offsets(e, at, e.lanes, e.lanes, self.column_bytes)
                inputs = lanes_of_inputs(e, x, take_offsets(e, words, self.column_bytes, 4))
                codes = e.load(ir.VectorType(BYTE, e.lanes), at, align=1)
                weights = self.weights.take(e, held, b.zext(codes, e.int_vector), 0)
                set_next([e.at(at, turn_bytes), e.fma(weights, inputs, total)])
            _finish(e, block, e.loop_results[1:], self.activation)


def _finish(e: KernelEmitter, block: Value, sums: Values, activation: str) -> None:
    """Scale the sums of a block's rows, add their biases and store them, activated."""
    factors, biases, y = (e.pointer(slot) for slot in ("factors", "biases", "output"))
    at_block = e.multiply(block, len(sums) * e.vector_bytes)
    for v, total in enumerate(sums):
        place = e.add(at_block, v * e.vector_bytes)
        factor, bias = e.load(e.vector, factors, place), e.load(e.vector, biases, place)
        e.store(activate(e, e.fma(total, factor, bias), activation), y, place)
