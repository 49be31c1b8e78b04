"""Convolution from an index stream: any kernel size, stride, dilation and groups, any zeros.

The weight of a convolution becomes a stream of (weights, input offsets) that the kernel walks for
each tile of pixels; what a tap means is in the offset alone. Rows (output channels) go in groups
of `rows`; pixels in tiles of `tile_h × tile_w` vectors held in registers.

- `shared`: the rows of a group share their offsets: each vector read serves `rows` rows. This is
  the kernel for dense weights and for blocks.
- otherwise every row has offsets of its own: one vector read a nonzero, and no zeros are touched.

One vector read a nonzero is as fast as the arithmetic only while the input of a tile stays in the
first cache. Where it does not fit, the taps come in *blocks*: all rows walk the first block, then
all walk the next, and the sums wait in the output in between.

Stream of one turn: `rows · unroll` weights, then their offsets (unshared: one a weight, shared: one
for each `rows` weights). Record of a group of rows: stream offset (64 bits), turns, input offset
that the stream's offsets count from, then for each row an output offset, then for each row a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT16, INT64, Value

Values = list[Value]


@dataclass(frozen=True)
class ConvKernel(Kernel):
    """A convolution kernel.

    Args:
        rows: output channels computed together, ≥ 1.
        tile_h: vectors of a tile along rows.
        tile_w: vectors of a tile along columns.
        stride_w: vectors from one output column to the next in the input.
        shared: whether the rows of a group share their offsets.
        unroll: taps a row in one turn of the stream.
        activation: applied before the last store.
        adds: whether the result is added to what the output holds (a residual connection).
        blocked: whether the taps come in several blocks.
        wide: offsets of 32 bits, in bytes; otherwise of 16 bits, in vectors.
    """

    rows: int
    tile_h: int
    tile_w: int
    stride_w: int = 1
    shared: bool = False
    unroll: int = 1
    activation: str = "identity"
    adds: bool = False
    blocked: bool = False
    wide: bool = False

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "tiles",
        "groups",
        "stream",
        "input_row",
        "output_row",
        "tile_shares",
        "block_count",
        "block_shares",
    )

    @property
    def turn_weights(self) -> int:
        """Weights of one turn."""
        return self.rows * self.unroll

    @property
    def turn_offsets(self) -> int:
        """Offsets of one turn."""
        return self.unroll if self.shared else self.turn_weights

    @property
    def offset_bytes(self) -> int:
        """Bytes of one offset in the stream."""
        return 4 if self.wide else 2

    @property
    def turn_bytes(self) -> int:
        """Bytes of the stream that one turn reads; whole words."""
        return 4 * self.turn_weights + -(-self.offset_bytes * self.turn_offsets // 4) * 4

    @property
    def group_bytes(self) -> int:
        """Bytes of one record of the table of groups."""
        return 16 + 8 * self.rows

    def label(self) -> str:
        """Return for example "f32-conv-sparse4-1x1x14-s1-relu-blocked"."""
        form = f"{'dense' if self.shared else 'sparse'}{self.unroll}"
        tile = f"{self.rows}x{self.tile_h}x{self.tile_w}"
        flags = {"adds": self.adds, "blocked": self.blocked, "wide": self.wide}
        words = ["f32-conv", form, tile, f"s{self.stride_w}", self.activation]
        return "-".join(words + [name for name, on in flags.items() if on])

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each tile, for each block of taps, walk the groups of rows."""
        e = emitter
        x, y, tiles = e.pointer("input"), e.pointer("output"), e.pointer("tiles")
        input_row, output_row = e.number("input_row"), e.number("output_row")
        groups, stream, count = e.pointer("groups"), e.pointer("stream"), e.number("block_count")
        shares = e.at(e.pointer("block_shares"), e.multiply(e.multiply(e.arguments[1], count), 16))
        start = "output and bias" if self.adds else "bias"
        with e.loop(*e.share("tile_shares")) as tile:
            at_input, at_output = (
                e.offset_in(tiles, tile, stride=TILE_BYTES, field=f) for f in (0, 1)
            )
            source = _rows(e, e.at(x, at_input), input_row, self.tile_h)
            target = _rows(e, e.at(y, at_output), output_row, self.tile_h)
            walk = _Walk(self, e, groups, stream, shares, source, target)
            if self.blocked:
                last = e.add(count, -1)
                walk.block(0, start, "identity")
                with e.loop(1, last) as block:
                    walk.block(block, "output", "identity")
                walk.block(last, "output", self.activation)
            else:
                walk.block(0, start, self.activation)


def _rows(e: KernelEmitter, first: Value, row_bytes: Value, count: int) -> Values:
    """Return the addresses of the rows of a tile."""
    return [e.at(first, e.multiply(row_bytes, r)) if r else first for r in range(count)]


@dataclass(frozen=True)
class _Walk:
    """Writes what happens in one tile; `source` and `target` are the addresses of its rows."""

    kernel: ConvKernel
    e: KernelEmitter
    groups: Value
    stream: Value
    shares: Value
    source: Values
    target: Values

    def block(self, block: Value | int, initial: str, activation: str) -> None:
        """Write the loop over this thread's groups of rows in one block of taps."""
        e = self.e
        pair = e.at(self.shares, e.multiply(block, 16))
        with e.loop(e.load(INT64, pair, align=8), e.load(INT64, pair, 8, align=8)) as group:
            record = e.at(self.groups, e.multiply(group, self.kernel.group_bytes))
            self._group(record, initial, activation)

    def _group(self, record: Value, initial: str, activation: str) -> None:
        k, e = self.kernel, self.e
        start = e.at(self.stream, e.load(INT64, record, align=4))
        turns, base = e.load_offset(record, 8), e.load_offset(record, 12)
        source = [e.at(row, base) for row in self.source]
        outputs = self._outputs(record)
        sums = self._initial(record, outputs, initial)
        # The offsets of a turn are read one turn ahead: reads of the input never wait for them.
        ahead = self._offsets(start)
        with e.carried_loop(0, turns, 1, [start, *ahead, *sums]) as (_, now, set_next):
            offsets, sums = now[1 : 1 + len(ahead)], now[1 + len(ahead) :]
            following = e.at(now[0], k.turn_bytes)
            after = self._offsets(following)
            turn = self._shared_turn if k.shared else self._sparse_turn
            set_next([following, *after, *turn(now[0], offsets, source, sums)])
        self._store(e.loop_results[1 + len(ahead) :], outputs, activation)

    def _outputs(self, record: Value) -> list[Values]:
        """Return the addresses of each output channel's rows."""
        e = self.e
        channels = [e.load_offset(record, 16 + 4 * m) for m in range(self.kernel.rows)]
        return [[e.at(row, channel) for row in self.target] for channel in channels]

    def _initial(self, record: Value, outputs: list[Values], initial: str) -> Values:
        """Return what the sums start from: "bias", "output" or "output and bias"."""
        k, e, sums = self.kernel, self.e, []
        for m, channel in enumerate(outputs):
            bias = e.splat(e.load(FLOAT, record, 16 + 4 * k.rows + 4 * m))
            for row in channel:
                for c in range(k.tile_w):
                    held = bias
                    if initial != "bias":
                        held = e.load_vector(row, c * e.vector_bytes)
                    if initial == "output and bias":
                        held = e.builder.fadd(held, bias)
                    sums.append(held)
        return sums

    def _store(self, sums: Values, outputs: list[Values], activation: str) -> None:
        k, e = self.kernel, self.e
        for index, total in enumerate(sums):
            m, v = divmod(index, k.tile_h * k.tile_w)
            r, c = divmod(v, k.tile_w)
            e.store_vector(activate(e, total, activation), outputs[m][r], c * e.vector_bytes)

    def _offsets(self, turn: Value) -> Values:
        """Read the offsets of a turn, in bytes."""
        k, e, b = self.kernel, self.e, self.e.builder
        first = 4 * k.turn_weights
        if k.wide:
            return [e.load_offset(turn, first + 4 * i) for i in range(k.turn_offsets)]
        narrow = [
            b.zext(e.load(INT16, turn, first + 2 * i, align=2), INT64)
            for i in range(k.turn_offsets)
        ]
        return [e.multiply(offset, e.vector_bytes) for offset in narrow]

    def _vector(self, source: Values, offset: Value, v: int) -> Value:
        """Read what output vector `v` of the tile needs for the tap at `offset`."""
        k, e = self.kernel, self.e
        r, c = divmod(v, k.tile_w)
        return e.load_vector(e.at(source[r], offset), c * k.stride_w * e.vector_bytes)

    def _shared_turn(self, turn: Value, offsets: Values, source: Values, sums: Values) -> Values:
        k, e, vectors = self.kernel, self.e, self.kernel.tile_h * self.kernel.tile_w
        result = list(sums)
        for u, offset in enumerate(offsets):
            inputs = [self._vector(source, offset, v) for v in range(vectors)]
            for m in range(k.rows):
                weight = e.splat(e.load(FLOAT, turn, 4 * (u * k.rows + m)))
                for v in range(vectors):
                    index = m * vectors + v
                    result[index] = e.fma(weight, inputs[v], result[index])
        return result

    def _sparse_turn(self, turn: Value, offsets: Values, source: Values, sums: Values) -> Values:
        k, e, vectors = self.kernel, self.e, self.kernel.tile_h * self.kernel.tile_w
        result = list(sums)
        for entry, offset in enumerate(offsets):
            m = entry % k.rows
            weight = e.splat(e.load(FLOAT, turn, 4 * entry))
            for v in range(vectors):
                index = m * vectors + v
                result[index] = e.fma(weight, self._vector(source, offset, v), result[index])
        return result
