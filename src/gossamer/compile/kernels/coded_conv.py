"""Convolution from an index stream of codes: a byte a weight, looked up in a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.compile.kernels.turn import read_offsets, take_offsets
from gossamer.jit.emitter import FLOAT, Value


@dataclass(frozen=True)
class CodedConvKernel(ConvKernel):
    """A convolution kernel whose rows have lists of their own, of codes.

    The table, of at most 256 numbers, stays in the first cache. Stream of one turn: a byte a
    weight, then the offsets. Record of a group of rows: as `ConvKernel`'s, then for each row the
    factor of its sums, bias included.
    """

    slots: ClassVar[tuple[str, ...]] = (*ConvKernel.slots, "table")

    @property
    def weight_bytes(self) -> int:
        """Bytes of a turn's codes: where its offsets begin, at a multiple of their size."""
        return -(-self.turn_weights // self.offset_bytes) * self.offset_bytes

    @property
    def group_bytes(self) -> int:
        """Bytes of one record of the table of groups."""
        return super().group_bytes + 4 * self.rows

    def label(self) -> str:
        """Return for example "f32-conv-sparse4-1x1x14-s1-relu-codes"."""
        return f"{super().label()}-codes"

    def read_weights(self, e: KernelEmitter, turn: Value) -> Values:
        """Read the codes of a turn, as words."""
        return read_offsets(e, turn, 0, self.turn_weights, 1)

    def take_weights(self, e: KernelEmitter, words: Values) -> Values:
        """Read each weight from the table."""
        with e.builder.goto_entry_block():  # once: LLVM does not move reads across barriers
            table = e.pointer("table")
        return [e.splat(e.load(FLOAT, table, place)) for place in take_offsets(e, words, 1, 4)]

    def scaled(self, e: KernelEmitter, record: Value, sums: Values) -> Values:
        """Multiply by the rows' factors."""
        first = super().group_bytes
        factors = [e.splat(e.load(FLOAT, record, first + 4 * m)) for m in range(self.rows)]
        vectors = self.tile_h * self.tile_w
        return [e.builder.fmul(total, factors[i // vectors]) for i, total in enumerate(sums)]
