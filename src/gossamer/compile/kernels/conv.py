"""Convolution from an index stream: any kernel size, stride, dilation and groups, any zeros.

The weight of a convolution becomes a stream of (weights, input offset) that the kernel walks for
each tile of pixels; what a tap means is in the offset alone. Rows (output channels) go in groups
of `rows`; pixels in tiles of `tile_h × tile_w` vectors held in registers.

- `shared`: the rows of a group share their offsets: each vector read serves `rows` rows. This is
  the kernel for dense weights (and for blocks).
- otherwise every row has offsets of its own: one vector read a nonzero, and no zeros are touched.

Stream of one turn: shared, `rows` weights and one offset; unshared, `rows · unroll` weights, then
as many offsets. Record of a group of rows: stream offset, turns, then for each row an output
offset, then for each row a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT64, Value

Accumulators = list[Value]


@dataclass(frozen=True)
class ConvKernel(Kernel):
    """A convolution kernel.

    Args:
        rows: output channels computed together, ≥ 1.
        tile_h: vectors of a tile along rows.
        tile_w: vectors of a tile along columns.
        stride_w: vectors from one output column to the next in the input.
        shared: whether the rows of a group share their offsets.
        unroll: nonzeros a row in one turn of the stream (unshared only).
        activation: applied before the store.
    """

    rows: int
    tile_h: int
    tile_w: int
    stride_w: int = 1
    shared: bool = False
    unroll: int = 1
    activation: str = "identity"

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "tiles",
        "groups",
        "stream",
        "input_row",
        "output_row",
        "tile_shares",
        "group_shares",
    )

    @property
    def turn_bytes(self) -> int:
        """Bytes of the stream that one turn reads."""
        return 4 * self.rows + 4 if self.shared else 8 * self.rows * self.unroll

    @property
    def group_bytes(self) -> int:
        """Bytes of one record of the table of groups."""
        return 16 + 8 * self.rows

    def label(self) -> str:
        """Return for example "f32-conv-sparse-2x1x8-s1-relu"."""
        form = "dense" if self.shared else f"sparse{self.unroll}"
        tile = f"{self.rows}x{self.tile_h}x{self.tile_w}"
        return f"f32-conv-{form}-{tile}-s{self.stride_w}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each tile, for each group of rows, accumulate over the stream, store."""
        e = emitter
        x, y, tiles = e.pointer("input"), e.pointer("output"), e.pointer("tiles")
        groups, stream = e.pointer("groups"), e.pointer("stream")
        input_row, output_row = e.number("input_row"), e.number("output_row")
        group_begin, group_end = e.share("group_shares")
        with e.loop(*e.share("tile_shares")) as tile:
            source = self._row_pointers(
                e, e.at(x, e.offset_in(tiles, tile, stride=TILE_BYTES)), input_row
            )
            target = self._row_pointers(
                e, e.at(y, e.offset_in(tiles, tile, stride=TILE_BYTES, field=1)), output_row
            )
            with e.loop(group_begin, group_end) as group:
                record = e.at(groups, e.multiply(group, self.group_bytes))
                self._group(e, record, stream, source, target)

    def _row_pointers(self, e: KernelEmitter, first: Value, row: Value) -> list[Value]:
        return [e.at(first, e.multiply(row, r)) if r else first for r in range(self.tile_h)]

    def _group(
        self,
        e: KernelEmitter,
        record: Value,
        stream: Value,
        source: list[Value],
        target: list[Value],
    ) -> None:
        start = e.at(stream, e.load(INT64, record, align=4))
        turns = e.load(INT64, record, 8, align=4)
        biases = [
            e.splat(e.load(FLOAT, record, 16 + 4 * self.rows + 4 * m)) for m in range(self.rows)
        ]
        vectors = self.tile_h * self.tile_w
        initial = [bias for bias in biases for _ in range(vectors)]
        with e.carried_loop(0, turns, 1, initial) as (turn, sums, set_next):
            entry = e.at(start, e.multiply(turn, self.turn_bytes))
            set_next(
                (self._shared_turn if self.shared else self._sparse_turn)(e, entry, source, sums)
            )
        sums = e.loop_results
        for m in range(self.rows):
            channel = e.load_offset(record, 16 + 4 * m)
            for v in range(vectors):
                r, c = divmod(v, self.tile_w)
                value = activate(e, sums[m * vectors + v], self.activation)
                e.store_vector(value, e.at(target[r], channel), c * e.vector_bytes)

    def _vector(self, e: KernelEmitter, source: list[Value], offset: Value, v: int) -> Value:
        """Read what output vector `v` of the tile needs for the tap at `offset`."""
        r, c = divmod(v, self.tile_w)
        return e.load_vector(e.at(source[r], offset), c * self.stride_w * e.vector_bytes)

    def _shared_turn(
        self, e: KernelEmitter, entry: Value, source: list[Value], sums: Accumulators
    ) -> Accumulators:
        vectors = self.tile_h * self.tile_w
        offset = e.load_offset(entry, 4 * self.rows)
        inputs = [self._vector(e, source, offset, v) for v in range(vectors)]
        result = list(sums)
        for m in range(self.rows):
            weight = e.splat(e.load(FLOAT, entry, 4 * m))
            for v in range(vectors):
                result[m * vectors + v] = e.fma(weight, inputs[v], sums[m * vectors + v])
        return result

    def _sparse_turn(
        self, e: KernelEmitter, entry: Value, source: list[Value], sums: Accumulators
    ) -> Accumulators:
        vectors = self.tile_h * self.tile_w
        entries = self.rows * self.unroll
        result = list(sums)
        for k in range(entries):
            m = k % self.rows
            weight = e.splat(e.load(FLOAT, entry, 4 * k))
            offset = e.load_offset(entry, 4 * (entries + k))
            for v in range(vectors):
                index = m * vectors + v
                result[index] = e.fma(weight, self._vector(e, source, offset, v), result[index])
        return result
