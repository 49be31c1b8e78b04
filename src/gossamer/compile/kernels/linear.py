"""Linear layers of dense weights: output rows go in blocks of a few vectors, one row a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT64


@dataclass(frozen=True)
class LinearKernel(Kernel):
    """y = activation(W x + bias) for flat x; the rows of a block read the same input.

    Args:
        activation: applied before the store.
        vectors: of rows in a block: sums that do not wait for each other.

    Stream of one turn: one weight a row, then the 32-bit byte offset of their input. Record of a
    block: stream offset, turns (64-bit each). The output has room for whole blocks.
    """

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
        return 4 * lanes * self.vectors + 4

    def label(self) -> str:
        """Return for example "f32-linear-dense4-relu"."""
        return f"f32-linear-dense{self.vectors}-{self.activation}"

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
                offset = e.load_offset(entry, self.vectors * e.vector_bytes)
                inputs = e.splat(e.load(FLOAT, x, offset))
                weights = [e.load(e.vector, entry, v) for v in vectors]
                set_next([e.fma(w, inputs, total) for w, total in zip(weights, sums, strict=True)])
            for v, total in zip(vectors, e.loop_results, strict=True):
                e.store(activate(e, total, self.activation), e.at(y, at_block), v)
