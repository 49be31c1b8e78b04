"""Linear layers that skip every zero: rows are lanes, and each has columns of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.compile.kernels.linear_sums import ask_for, finish_rows
from gossamer.compile.kernels.turn import read_offsets, take_offsets
from gossamer.compile.kernels.weight_forms import WeightForm
from gossamer.jit.emitter import FLOAT, INT32, INT64, Value


@dataclass(frozen=True)
class SparseLinearKernel(Kernel):
    """y = activation(factor · (W x) + bias) for flat x.

    Rows are padded to the longest of their block.

    Args:
        form: of the weights.
        activation: applied before the store.
        wide: whether columns have 32 bits, not 16.

    Stream of one turn: a weight a lane, in words or bytes, then a column a lane. Record of a block:
    stream offset, turns (64-bit each). `factors` and `biases` have a number a row, of whole
    vectors, as has the output.
    """

    form: WeightForm
    activation: str = "identity"
    wide: bool = False

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "blocks",
        "stream",
        "table",
        "factors",
        "biases",
        "block_shares",
    )

    @property
    def column_bytes(self) -> int:
        """Bytes of a column's number."""
        return 4 if self.wide else 2

    def turn_bytes(self, lanes: int) -> int:
        """Bytes of the stream that one turn reads."""
        return (self.form.entry_bytes + self.column_bytes) * lanes

    def label(self) -> str:
        """Return for example "f32-linear-sparse-codes32-relu"."""
        words = ["f32-linear-sparse", self.form.label(), self.activation]
        return "-".join(words + ["wide"] * self.wide)

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block, accumulate over its stream."""
        e = emitter
        x, stream, blocks = e.pointer("input"), e.pointer("stream"), e.pointer("blocks")
        held, turn_bytes = self.form.load(e, e.pointer("table")), self.turn_bytes(e.lanes)
        with e.loop(*e.share("block_shares")) as block:
            record = e.at(blocks, e.multiply(block, 16))
            start = e.at(stream, e.load(INT64, record, align=8))
            turns, first = e.load(INT64, record, 8, align=8), [start, e.constant(0.0)]
            with e.carried_loop(0, turns, 1, first) as (_, (at, total), set_next):
                ask_for(e, at, turn_bytes)
                weights = self.form.take(e, held, self._words(e, at))
                set_next([e.at(at, turn_bytes), e.fma(weights, self._inputs(e, at, x), total)])
            finish_rows(e, block, e.loop_results[1:], self.activation)

    def _words(self, e: KernelEmitter, at: Value) -> Value:
        """Read a turn's weights."""
        entries = ir.VectorType(ir.IntType(8 * self.form.entry_bytes), e.lanes)
        words = e.load(entries, at, align=1)
        return e.builder.zext(words, e.int_vector) if self.form.entry_bytes < 4 else words

    def _inputs(self, e: KernelEmitter, at: Value, x: Value) -> Value:
        """Read what a turn's weights are multiplied by."""
        first = self.form.entry_bytes * e.lanes
        columns: Values = read_offsets(e, at, first, e.lanes, self.column_bytes)
        inputs = ir.Constant(e.vector, ir.Undefined)
        for lane, offset in enumerate(take_offsets(e, columns, self.column_bytes, 4)):
            inputs = e.builder.insert_element(inputs, e.load(FLOAT, x, offset), INT32(lane))
        return inputs
