"""Linear layers: output rows go in blocks of one vector or a few, one row a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.jit.emitter import FLOAT, INT32, INT64, Value

PREFETCH_BYTES = 2048
"""How far ahead streams of codes are asked for: they come from far."""


@dataclass(frozen=True)
class LinearKernel(Kernel):
    """y = activation(W x + bias) for flat x.

    Args:
        shared: whether the rows of a block read the same input (dense); otherwise each lane has an
            index of its own, and rows are padded with zero weights to the longest of the block.
        activation: applied before the store.
        vectors: of rows in a block: sums that do not wait for each other; 1 unless shared.

    Stream of one turn: one weight a row, then one 32-bit byte offset (shared) or one a lane.
    Record of a block: stream offset, turns (64-bit each). The output has room for whole blocks.
    """

    shared: bool
    activation: str = "identity"
    vectors: int = 1

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
        return 4 * lanes * self.vectors + (4 if self.shared else 4 * lanes)

    def label(self) -> str:
        """Return for example "f32-linear-dense4-relu"."""
        form = f"dense{self.vectors}" if self.shared else "sparse"
        return f"f32-linear-{form}-{self.activation}"

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
            vectors = [v * e.vector_bytes for v in range(self.vectors)]
            at_block = e.multiply(block, self.vectors * e.vector_bytes)
            sums = [e.load(e.vector, e.at(biases, at_block), v) for v in vectors]
            with e.carried_loop(0, turns, 1, sums) as (turn, sums, set_next):
                entry = e.at(start, e.multiply(turn, self.turn_bytes(e.lanes)))
                inputs = self._inputs(e, entry, x)
                weights = [e.load(e.vector, entry, v) for v in vectors]
                set_next([e.fma(w, inputs, total) for w, total in zip(weights, sums, strict=True)])
            for v, total in zip(vectors, e.loop_results, strict=True):
                e.store(activate(e, total, self.activation), e.at(y, at_block), v)

    def _inputs(self, e: KernelEmitter, entry: Value, x: Value) -> Value:
        if self.shared:
            return e.splat(e.load(FLOAT, x, e.load_offset(entry, 4 * e.lanes * self.vectors)))
        places = range(4 * e.lanes, 8 * e.lanes, 4)
        return lanes_of_inputs(e, x, [e.load_offset(entry, place) for place in places])


def lanes_of_inputs(e: KernelEmitter, x: Value, offsets: Values) -> Value:
    """Return a vector of the inputs at byte offsets, one a lane."""
    vector = ir.Constant(e.vector, ir.Undefined)
    for lane, offset in enumerate(offsets):
        value = e.load(FLOAT, x, offset)
        vector = e.builder.insert_element(vector, value, ir.Constant(INT32, lane))
    return vector
