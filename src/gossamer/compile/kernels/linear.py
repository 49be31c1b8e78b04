"""Linear layers: output rows go in blocks of one vector, one row a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT32, INT64, Value


@dataclass(frozen=True)
class LinearKernel(Kernel):
    """y = activation(W x + bias) for flat x.

    Args:
        shared: whether the rows of a block read the same input (dense); otherwise each lane has an
            index of its own, and rows are padded with zero weights to the longest of the block.
        activation: applied before the store.

    Stream of one turn: one weight a lane, then one 32-bit byte offset (shared) or one a lane.
    Record of a block: stream offset, turns (64-bit each). The output has room for whole vectors.
    """

    shared: bool
    activation: str = "identity"

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "blocks",
        "stream",
        "biases",
        "block_shares",
    )

    def turn_bytes(self, lanes: int) -> int:
        """Bytes of the stream that one turn reads."""
        return 4 * lanes + (4 if self.shared else 4 * lanes)

    def label(self) -> str:
        """Return for example "f32-linear-sparse-relu"."""
        return f"f32-linear-{'dense' if self.shared else 'sparse'}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block, accumulate over its stream."""
        e = emitter
        x, y, blocks, stream, biases = (
            e.pointer(slot) for slot in ("input", "output", "blocks", "stream", "biases")
        )
        with e.loop(*e.share("block_shares")) as block:
            record = e.at(blocks, e.multiply(block, 16))
            start = e.at(stream, e.load(INT64, record, align=8))
            turns = e.load(INT64, record, 8, align=8)
            at_block = e.multiply(block, e.vector_bytes)
            with e.carried_loop(0, turns, 1, [e.load(e.vector, biases, at_block)]) as (
                turn,
                (total,),
                set_next,
            ):
                entry = e.at(start, e.multiply(turn, self.turn_bytes(e.lanes)))
                set_next([e.fma(e.load(e.vector, entry), self._inputs(e, entry, x), total)])
            e.store(activate(e, e.loop_results[0], self.activation), y, at_block)

    def _inputs(self, e: KernelEmitter, entry: Value, x: Value) -> Value:
        if self.shared:
            return e.splat(e.load(FLOAT, x, e.load_offset(entry, 4 * e.lanes)))
        vector = ir.Constant(e.vector, ir.Undefined)
        for lane in range(e.lanes):
            value = e.load(FLOAT, x, e.load_offset(entry, 4 * e.lanes + 4 * lane))
            vector = e.builder.insert_element(vector, value, ir.Constant(INT32, lane))
        return vector
