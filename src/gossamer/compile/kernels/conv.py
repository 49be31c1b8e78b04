"""Convolution from an index stream: any kernel size, stride, dilation and groups, any zeros.

The weight of a convolution becomes a stream of (weights, input offsets) that the kernel walks for
each tile of pixels; what a tap means is in the offset alone. Rows (output channels) go in groups
of `rows`; pixels in tiles of `tile_h × tile_w` vectors held in registers.

- `shared`: the rows of a group share their offsets: each vector read serves `rows` rows. This is
  the kernel for dense weights and for blocks.
- otherwise every row has offsets of its own: one vector read a nonzero, and no zeros are touched.
  Where the nonzeros of a row come in *runs* of neighbouring channels, which lie a constant number
  of bytes apart, a turn has one run of each row, and a run one offset.

One vector read a nonzero is as fast as the arithmetic only while the input of a tile stays in the
first cache. Where it does not fit, the taps come in *blocks*: all rows walk the first block, then
all walk the next, and the sums wait in the output in between.

Stream of one turn: `rows · unroll` weights, then their offsets (unshared: one a weight, or one a
run; shared: one for each `rows` weights). Record of a group of rows: where its turns begin and end
in the stream (64 bits each; the next group's follow), then for each row an output offset, then for
each row a bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar

from gossamer.compile.kernels.activation import LONG, activate
from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter, Values
from gossamer.compile.kernels.scale_words import scale_words
from gossamer.compile.kernels.turn import (
    read_offsets,
    read_weights,
    take_offsets,
    take_weights,
)
from gossamer.jit.emitter import FLOAT, INT64, Value

PREFETCH_BYTES = 2048
"""How far ahead the stream is asked for: it comes from far when the weights are large."""
LINE_BYTES = 64
"""Of the first cache, on all processors that matter; a wrong one costs time only."""
ECHOED = 16
"""Groups of rows after which their edge pixels are copied: while they are in the first cache."""
COPIED = 4
"""Channels whose edge pixels one turn of that loop copies."""

Range = tuple[Value, Value]


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
        by_rows: walk all tiles for one group of rows before the next group, where weights are
            larger than pictures; not if blocked.
        echoes: whether what lies outside the tiles is written too, as copies of edge pixels.
        wide: offsets of 32 bits, in bytes; otherwise of 16 bits, in vectors.
        near: whether the stream is walked so often that it is not asked for ahead.
        step_bytes: between the inputs of a row's weights in one turn, which are a run; 0 if each
            weight has an offset of its own. Not if shared.
        asks: whether the next tile's input and output are asked for: where pictures are too large
            for the caches.
        gated: whether weights are multiplied by a factor of their channel first: each thread walks
            a stream of its own, in `scaled`.
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
    by_rows: bool = False
    echoes: bool = False
    near: bool = False
    step_bytes: int = 0
    asks: bool = False
    gated: bool = False

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
        "echo_bounds",
        "echoes",
        "echo_lanes",
        "ask_from",
        "ask_each",
        "ask_end",
        "channel_bytes",
        "factors",
        "factor_offsets",
        "scaled",
        "scaled_bytes",
    )

    @property
    def turn_weights(self) -> int:
        """Weights of one turn."""
        return self.rows * self.unroll

    @property
    def turn_offsets(self) -> int:
        """Offsets of one turn."""
        return self.unroll if self.shared else self.turn_weights // self.run

    @property
    def run(self) -> int:
        """Weights of a row that have one offset."""
        return self.unroll if self.step_bytes else 1

    @property
    def offset_bytes(self) -> int:
        """Bytes of one offset in the stream."""
        return 4 if self.wide else 2

    @property
    def weight_bytes(self) -> int:
        """Bytes of a turn's weights: where its offsets begin."""
        return 4 * self.turn_weights

    @property
    def turn_bytes(self) -> int:
        """Bytes of the stream that one turn reads; whole words."""
        return -(-(self.weight_bytes + self.offset_bytes * self.turn_offsets) // 4) * 4

    @property
    def group_bytes(self) -> int:
        """Bytes of one record of the table of groups."""
        return 16 + 8 * self.rows

    def label(self) -> str:
        """Return for example "f32-conv-sparse4-1x1x14-s1-relu-blocked"."""
        form = f"{'dense' if self.shared else 'sparse'}{self.unroll}"
        tile = f"{self.rows}x{self.tile_h}x{self.tile_w}"
        flags = {"adds": self.adds, "blocked": self.blocked, "wide": self.wide}
        flags |= {"rows": self.by_rows, "echoes": self.echoes, "near": self.near}
        flags |= {"asks": self.asks}
        flags |= {"gated": self.gated}
        words = ["f32-conv", form, tile, f"s{self.stride_w}", self.activation]
        words += [f"run{self.step_bytes}"] * (self.step_bytes != 0)
        return "-".join(words + [name for name, on in flags.items() if on])

    def read_weights(self, e: KernelEmitter, turn: Value) -> Values:
        """Read the weights of a turn, a turn before `take_weights` makes numbers of them."""
        return read_weights(e, turn, self.turn_weights)

    def take_weights(self, e: KernelEmitter, words: Values) -> Values:
        """Return each weight of a turn in all lanes."""
        return take_weights(e, words, self.turn_weights)

    def scaled(self, e: KernelEmitter, record: Value, sums: Values) -> Values:
        """Return the sums of a group of rows as they are added to what the output holds."""
        return sums

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each tile, for each block of taps, walk the groups of rows."""
        e = emitter
        x, y, tiles = e.pointer("input"), e.pointer("output"), e.pointer("tiles")
        input_row, output_row = e.number("input_row"), e.number("output_row")
        groups, stream, count = e.pointer("groups"), e.pointer("stream"), e.number("block_count")
        if self.gated:
            stream = self._scaled(e, stream)
        shares = e.at(e.pointer("block_shares"), e.multiply(e.multiply(e.arguments[1], count), 16))
        walk = _Walk(self, e, tiles, groups, stream, shares, (x, input_row), (y, output_row))
        if self.by_rows:
            with walk.groups_of(0, 1) as groups, e.loop(*e.share("tile_shares")) as tile:
                walk.tile(groups, tile, walk.rows(tile))
            return
        begin, end = e.share("tile_shares")
        with e.loop(begin, end) as tile:
            rows = walk.rows(tile)
            if self.asks:
                walk = replace(walk, asked=walk.next_tile(tile, end))
            if not self.blocked:
                with walk.groups_of(0, ECHOED) as groups:
                    walk.tile(groups, tile, rows)
                return
            with e.loop(0, count) as block:
                is_first, is_last = e.equal(block, 0), e.equal(block, e.add(count, -1))
                with walk.groups_of(block, ECHOED) as groups:
                    walk.tile(groups, tile, rows, is_first, is_last)

    def _scaled(self, e: KernelEmitter, stream: Value) -> Value:
        """Write this thread's stream, and return where it lies."""
        size = e.number("scaled_bytes")
        scaled = e.at(e.pointer("scaled"), e.multiply(e.arguments[1], size))
        scale_words(e, stream, e.pointer("factor_offsets"), e.pointer("factors"), scaled, size)
        return scaled


@dataclass(frozen=True)
class _Walk:
    """Writes the loops.

    `input` and `output` are the address and the bytes between rows, `asked` are the rows of
    the next tile, if they are asked for.
    """

    kernel: ConvKernel
    e: KernelEmitter
    tiles: Value
    groups: Value
    stream: Value
    shares: Value
    input: tuple[Value, Value]
    output: tuple[Value, Value]
    asked: tuple[Values, Values] | None = None

    def rows(self, tile: Value) -> tuple[Values, Values]:
        """Return the addresses of the rows of a tile, in the input and in the output."""
        e = self.e
        sides = []
        for field, (first, row_bytes) in enumerate((self.input, self.output)):
            start = e.at(first, e.offset_in(self.tiles, tile, stride=TILE_BYTES, field=field))
            rows = [e.at(start, e.multiply(row_bytes, r)) for r in range(1, self.kernel.tile_h)]
            sides.append([start, *rows])
        return sides[0], sides[1]

    @contextmanager
    def groups_of(self, block: Value | int, most: int) -> Iterator[Range]:
        """Loop over this thread's groups of rows in one block of taps, some at a time."""
        e = self.e
        pair = e.at(self.shares, e.multiply(block, 16))
        begin, end = e.load(INT64, pair, align=8), e.load(INT64, pair, 8, align=8)
        with e.loop(begin, end, most) as first:
            yield first, e.minimum(e.add(first, most), end)

    def tile(
        self,
        groups: Range,
        tile: Value,
        rows: tuple[Values, Values],
        is_first: Value | bool = True,
        is_last: Value | bool = True,
    ) -> None:
        """Write some groups of rows in one tile, and then what outside the tile repeats theirs."""
        e = self.e
        start = e.load(INT64, self._record(groups[0]), align=4)
        with e.carried_loop(*groups, 1, self._turn(start)) as (group, turn, set_next):
            if self.kernel.adds and not self.kernel.shared:
                self._ask_for_residual(group, groups[1], rows[1])
            if self.asked is not None:
                self._ask_for_tile(group, *self.asked)
            set_next(self.group(self._record(group), turn, rows, is_first, is_last))
        if self.kernel.echoes:
            self.e.either(is_last, lambda: self._echo(groups, tile), list)

    def _ask_for_residual(self, group: Value, end: Value, target: Values) -> None:
        """Ask for what the next group adds to: it was written long ago, and its list is short."""
        following = self.e.minimum(self.e.add(group, 1), self.e.add(end, -1))
        for row in chain.from_iterable(self._outputs(self._record(following), target)):
            self._ask_for_row(row, self.kernel.tile_w, cache=1)

    def _ask_for_row(self, row: Value, vectors: int, *, cache: int) -> None:
        for at in range(0, vectors * self.e.vector_bytes, LINE_BYTES):
            self.e.prefetch(row, at, cache=cache)

    def next_tile(self, tile: Value, end: Value) -> tuple[Values, Values]:
        """Return the rows of the next tile, or of the last: of the lowest taps, and the output."""
        e = self.e
        source, target = self.rows(e.minimum(e.add(tile, 1), e.add(end, -1)))
        lowest = e.number("ask_from")
        return [e.at(row, lowest) for row in source], target

    def _ask_for_tile(self, group: Value, source: Values, target: Values) -> None:
        """Ask for what a group writes in the next tile, and for some channels of its input."""
        k, e = self.kernel, self.e
        for row in chain.from_iterable(self._outputs(self._record(group), target)):
            self._ask_for_row(row, k.tile_w, cache=2)
        each, channel_bytes = e.number("ask_each"), e.number("channel_bytes")
        begin = e.multiply(group, each)
        end = e.minimum(e.add(begin, each), e.number("ask_end"))
        with e.loop(begin, end, channel_bytes) as channel:
            for row in source:
                self._ask_for_row(e.at(row, channel), k.tile_w * k.stride_w, cache=2)

    def _record(self, group: Value) -> Value:
        return self.e.at(self.groups, self.e.multiply(group, self.kernel.group_bytes))

    def _echo(self, groups: Range, tile: Value) -> Values:
        """Copy the edge pixels that a tile of pixels has just written to where they are echoed."""
        k, e = self.kernel, self.e
        bounds, echoes, lanes = (e.pointer(s) for s in ("echo_bounds", "echoes", "echo_lanes"))
        together = max(1, COPIED // k.rows)
        count = e.builder.sub(groups[1], groups[0])
        even = e.builder.sub(groups[1], e.builder.urem(count, e.integer(together)))
        end = e.offset_in(bounds, e.add(tile, 1))
        with e.loop(e.offset_in(bounds, tile), end) as echo:
            source, target = (
                e.at(self.output[0], e.offset_in(echoes, echo, stride=8, field=f)) for f in (0, 1)
            )
            order = e.load(e.int_vector, lanes, e.multiply(echo, e.vector_bytes))
            with e.loop(groups[0], even, together) as group:
                self._copy(source, target, order, group, together)
            if together > 1:
                with e.loop(even, groups[1]) as group:
                    self._copy(source, target, order, group, 1)
        return []

    def _copy(self, source: Value, target: Value, order: Value, group: Value, count: int) -> None:
        """Copy one vector of each channel of some groups, its lanes in an order."""
        k, e, record = self.kernel, self.e, self._record(group)
        for n in range(count):
            for m in range(k.rows):
                channel = e.load_offset(record, n * k.group_bytes + 16 + 4 * m)
                e.store_vector(e.permute(e.load_vector(source, channel), order), target, channel)

    def group(
        self,
        record: Value,
        turn: Values,
        rows: tuple[Values, Values],
        is_first: Value | bool,
        is_last: Value | bool,
    ) -> Values:
        """Write one group of rows in one tile, in a block of taps: maybe the first, or the last.

        Takes what `_turn` reads of its first turn, and returns that of the next group, which
        follows in the stream: a group that read its own would have nothing to do meanwhile.
        """
        k, e = self.kernel, self.e
        begin, *ahead = turn
        end = e.load(INT64, record, 8, align=4)
        carried = [*ahead, *self._biases(record)]
        with e.carried_loop(begin, end, k.turn_bytes, carried) as (place, now, set_next):
            following = e.at(self.stream, e.add(place, k.turn_bytes))
            words = self._words(following)
            at = e.at(self.stream, place)
            if not k.near:
                e.prefetch(at, PREFETCH_BYTES)
            e.barrier()
            sums = self._add_turn(at, now[: len(words)], now[len(words) :], rows[0])
            set_next([*words, *self._quads(following), *sums])
        now = e.loop_results
        outputs = self._outputs(record, rows[1])
        sums = k.scaled(e, record, now[len(ahead) :])
        sums = self._with_held(sums, outputs, is_first)
        self._finish(sums, outputs, is_last)
        return [end, *now[: len(ahead)]]

    def _turn(self, place: Value) -> Values:
        """Return where a turn lies in the stream, and what is read of it a turn ahead."""
        at = self.e.at(self.stream, place)
        return [place, *self._words(at), *self._quads(at)]

    def _add_turn(self, at: Value, words: Values, now: Values, source: Values) -> Values:
        """Return the sums after a turn; `now` is its weights, if they were read, and the sums."""
        k, e = self.kernel, self.e
        offsets = take_offsets(e, words, k.offset_bytes, 1 if k.wide else e.vector_bytes)
        if k.shared:
            return self._shared_turn(at, offsets, source, now)
        sums = k.rows * k.tile_h * k.tile_w
        weights = k.take_weights(e, now[:-sums])
        return self._sparse_turn(weights, offsets, source, now[-sums:])

    def _outputs(self, record: Value, target: Values) -> list[Values]:
        """Return the addresses of each output channel's rows."""
        e = self.e
        channels = [e.load_offset(record, 16 + 4 * m) for m in range(self.kernel.rows)]
        return [[e.at(row, channel) for row in target] for channel in channels]

    def _biases(self, record: Value) -> Values:
        """Return what the sums start from; only records of the first block have a bias."""
        k, e = self.kernel, self.e
        biases = [e.splat(e.load(FLOAT, record, 16 + 4 * k.rows + 4 * m)) for m in range(k.rows)]
        return [bias for bias in biases for _ in range(k.tile_h * k.tile_w)]

    def _with_held(self, sums: Values, outputs: list[Values], is_first: Value | bool) -> Values:
        """Return the sums with what the output holds: of earlier blocks, or a residual.

        It comes last, so that no product waits for what lies far away.
        """
        add = self.e.builder.fadd
        return self.e.either(
            is_first if not self.kernel.adds else False,
            lambda: sums,
            lambda: [add(a, b) for a, b in zip(sums, self._held(outputs), strict=True)],
        )

    def _held(self, outputs: list[Values]) -> Values:
        """Return the numbers that the output holds so far."""
        k, e = self.kernel, self.e
        return [
            e.load_vector(row, c * e.vector_bytes)
            for channel in outputs
            for row in channel
            for c in range(k.tile_w)
        ]

    def _finish(self, sums: Values, outputs: list[Values], is_last: Value | bool) -> None:
        """Store the sums, activated if nothing is added later."""
        activation = self.kernel.activation
        self.e.either(
            True if activation == "identity" else is_last,
            lambda: self._store(sums, outputs, activation),
            lambda: self._store(sums, outputs, "identity"),
        )

    def _store(self, sums: Values, outputs: list[Values], activation: str) -> Values:
        """Store the sums, activated; those of a row of a tile follow each other."""
        k, e = self.kernel, self.e
        rows = [row for channel in outputs for row in channel]
        parts = [sums[first : first + k.tile_w] for first in range(0, len(sums), k.tile_w)]
        if activation in LONG:
            self._store_in_turn(parts, rows, activation)
            return []
        for part, row in zip(parts, rows, strict=True):
            for c, total in enumerate(part):
                e.store_vector(activate(e, total, activation), row, c * e.vector_bytes)
        return []

    def _store_in_turn(self, parts: list[Values], rows: Values, activation: str) -> None:
        """Store the sums, activated a column at a time: beside all of them, nothing fits registers.

        They wait in memory of the function: where tiles overlap, another thread may store the same.
        """
        e, width = self.e, self.kernel.tile_w * self.e.vector_bytes
        waiting = e.scratch(len(rows) * self.kernel.tile_w)
        for m, part in enumerate(parts):
            for c, total in enumerate(part):
                e.store_vector(total, waiting, m * width + c * e.vector_bytes)
        with e.loop(0, width, e.vector_bytes) as at:
            column = e.at(waiting, at)
            for m, row in enumerate(rows):
                total = activate(e, e.load_vector(column, m * width), activation)
                e.store_vector(total, row, at)

    def _words(self, turn: Value) -> Values:
        """Read the offsets of a turn."""
        k = self.kernel
        return read_offsets(self.e, turn, k.weight_bytes, k.turn_offsets, k.offset_bytes)

    def _quads(self, turn: Value) -> Values:
        """Read the weights of a turn; shared offsets leave time to read them when needed."""
        k = self.kernel
        return [] if k.shared else k.read_weights(self.e, turn)

    def _vector(self, source: Values, offset: Value, v: int, nth: int = 0) -> Value:
        """Read what output vector `v` of the tile needs for the nth tap of the run at `offset`."""
        k, e = self.kernel, self.e
        r, c = divmod(v, k.tile_w)
        at = nth * k.step_bytes + c * k.stride_w * e.vector_bytes
        return e.load_vector(e.at(source[r], offset), at)

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

    def _sparse_turn(
        self, weights: Values, offsets: Values, source: Values, sums: Values
    ) -> Values:
        k, e, vectors = self.kernel, self.e, self.kernel.tile_h * self.kernel.tile_w
        result = list(sums)
        for entry, weight in enumerate(weights):
            nth, m = divmod(entry, k.rows)
            offset = offsets[m if k.step_bytes else entry]
            for v in range(vectors):
                index, read = m * vectors + v, self._vector(source, offset, v, nth)
                result[index] = e.fma(weight, read, result[index])
        return result
