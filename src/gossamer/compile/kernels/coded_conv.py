"""Convolution from an index stream of codes: a byte a weight, looked up in a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.compile.kernels.turn import QUAD, read_offsets, take_offsets
from gossamer.compile.kernels.weight_forms import SharedValues
from gossamer.jit.emitter import FLOAT, INT32, Value


@dataclass(frozen=True)
class CodedConvKernel(ConvKernel):
    """A convolution kernel whose rows have lists of their own, of codes.

    Two vectors of table are held in registers, where one instruction looks up in both: it takes the
    place of the one that spreads a weight over the lanes. A larger table stays in the first cache,
    for one more read a weight.

    Args:
        values: entries of the table, 1…256.

    Stream of one turn: a byte a weight, then the offsets. Record of a group of rows: as
    `ConvKernel`'s, then for each row the factor of its sums, bias included.
    """

    values: int = 256

    slots: ClassVar[tuple[str, ...]] = (*ConvKernel.slots, "table")

    @property
    def form(self) -> SharedValues:
        """What codes mean."""
        return SharedValues(self.values)

    @property
    def weight_bytes(self) -> int:
        """Bytes of a turn's codes: where its offsets begin, at a multiple of their size."""
        return -(-self.turn_weights // self.offset_bytes) * self.offset_bytes

    @property
    def group_bytes(self) -> int:
        """Bytes of one record of the table of groups."""
        return super().group_bytes + 4 * self.rows

    def label(self) -> str:
        """Return for example "f32-conv-sparse4-1x1x14-s1-relu-codes32"."""
        return f"{super().label()}-{self.form.label()}"

    def read_weights(self, e: KernelEmitter, turn: Value) -> Values:
        """Read the codes of a turn: four in each lane, or as many as a word holds."""
        if not self._is_in_registers(e):
            return read_offsets(e, turn, 0, self.turn_weights, 1)
        firsts = range(0, self.turn_weights, QUAD)
        sizes = [8 * min(QUAD, self.turn_weights - first) for first in firsts]
        words = [
            e.load(ir.IntType(size), turn, first, align=1)
            for first, size in zip(firsts, sizes, strict=True)
        ]
        wide = [e.builder.zext(w, INT32) if w.type != INT32 else w for w in words]
        return [e.builder.bitcast(e.splat(e.builder.bitcast(w, FLOAT)), e.int_vector) for w in wide]

    def take_weights(self, e: KernelEmitter, words: Values) -> Values:
        """Look each weight up; the table is read once, before any barrier."""
        is_held = self._is_in_registers(e)
        with e.builder.goto_entry_block():
            table = e.pointer("table")
            held = self.form.load(e, table) if is_held else []
        if is_held:
            weights = [divmod(i, QUAD) for i in range(self.turn_weights)]
            return [self.form.take(e, held, words[word], 8 * place) for word, place in weights]
        return [e.splat(e.load(FLOAT, table, place)) for place in take_offsets(e, words, 1, 4)]

    def scaled(self, e: KernelEmitter, record: Value, sums: Values) -> Values:
        """Multiply by the rows' factors."""
        first, vectors = super().group_bytes, self.tile_h * self.tile_w
        factors = [e.splat(e.load(FLOAT, record, first + 4 * m)) for m in range(self.rows)]
        return [e.builder.fmul(total, factors[i // vectors]) for i, total in enumerate(sums)]

    def _is_in_registers(self, e: KernelEmitter) -> bool:
        return e.looks_up_two and self.values <= 2 * e.lanes
