"""Linear layers whose dense weights are codes, as many in a word as fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.compile.kernels.linear_sums import ask_for, finish_rows
from gossamer.compile.kernels.weight_forms import WeightForm
from gossamer.jit.emitter import FLOAT, Value


@dataclass(frozen=True)
class PackedLinearKernel(Kernel):
    """y = activation(factor · (W x) + bias) for flat x; rows are lanes, and no zero is skipped.

    Args:
        form: of the weights.
        tail: columns after those that fill whole words.
        activation: applied before the store.
        vectors: of rows in a block: sums that do not wait for each other.

    Stream of a block: `turns` times one word a row, of the columns that come next, and one more if
    there is a tail. `factors` and `biases` have a number a row, of whole blocks, as has the output.
    """

    form: WeightForm
    tail: int
    activation: str = "identity"
    vectors: int = 1

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "turns",
        "stream",
        "table",
        "factors",
        "biases",
        "block_shares",
    )

    def label(self) -> str:
        """Return for example "f32-linear-dense4-codes16-2-relu"."""
        words = [f"f32-linear-dense{self.vectors}", self.form.label()]
        return "-".join([*words, *[str(self.tail)] * bool(self.tail), self.activation])

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block, whole words, then the tail."""
        e = emitter
        x, stream, turns = e.pointer("input"), e.pointer("stream"), e.number("turns")
        held, columns = self.form.load(e, e.pointer("table")), self.form.per_word
        turn_bytes = self.vectors * e.vector_bytes
        block_bytes = e.multiply(e.add(turns, int(self.tail > 0)), turn_bytes)
        with e.loop(*e.share("block_shares")) as block:
            first = [e.at(stream, e.multiply(block, block_bytes)), x]
            first += [e.constant(0.0)] * self.vectors
            with e.carried_loop(0, turns, 1, first) as (_, (at, source, *sums), set_next):
                ask_for(e, at, turn_bytes)
                sums = self._add(e, held, at, source, sums, columns)
                set_next([e.at(at, turn_bytes), e.at(source, 4 * columns), *sums])
            at, source, *sums = e.loop_results
            sums = self._add(e, held, at, source, sums, self.tail) if self.tail else sums
            finish_rows(e, block, sums, self.activation)

    def _add(
        self, e: KernelEmitter, held: Values, at: Value, source: Value, sums: Values, columns: int
    ) -> Values:
        """Return the sums after the first columns of a turn."""
        words = [e.load(e.int_vector, at, v * e.vector_bytes) for v in range(self.vectors)]
        for c in range(columns):
            entry = e.splat(e.load(FLOAT, source, 4 * c))
            weights = [self.form.take(e, held, word, c * self.form.bits) for word in words]
            sums = [e.fma(w, entry, total) for w, total in zip(weights, sums, strict=True)]
        return sums
