"""Convolution of codes (bytes) from an index stream, with sums in 32 bits.

The same walk as `ConvKernel`: tiles of pixels, groups of output channels, a stream of (weights,
input offsets). What `ConvKernel` calls a channel is here a quad: four channels, one byte each, in
every 32-bit lane of a vector; one step of the stream multiplies it with four weights. Groups have a
multiple of four rows, so that a result is written as whole quads.

- `shared`: the rows of a group share their offsets (dense weights, blocks, depthwise).
- otherwise the four rows of a group follow each other, each with a list of its own: a quad that is
  all zeros for a row is not read.

Stream of one turn: words of weights (quad, row, word), then offsets of its quads. Record of a group
of rows: for each list, where its stream begins (64 bits); for each list, its turns, and those of
its rest; the input offset that the stream's offsets count from; offsets of what is written and,
where something is added, of what is read for it; then for each row the sum to start from, a factor
and a term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter, Values
from gossamer.compile.kernels.requantise import Epilogue, Levels
from gossamer.jit.dot import WORDS, dot_product, load_words, prepare
from gossamer.jit.emitter import FLOAT, INT16, INT64, Value

PREFETCH_BYTES = 4096
"""How far ahead the stream is asked for: a dot product uses a weight up faster than floats do."""


@dataclass(frozen=True)
class CodeConvKernel(Kernel):
    """A convolution kernel on codes.

    Args:
        dot: how products are added (`gossamer.jit.dot`).
        epilogue: what becomes of the sums.
        rows: output channels computed together, a multiple of 4; 4 if not shared.
        tile_h: vectors of a tile along rows.
        tile_w: vectors of a tile along columns.
        stride_w: vectors from one output column to the next in the input.
        shared: whether the rows of a group share their offsets.
        unroll: quads in one turn of the stream.
        wide: offsets of 32 bits, in bytes; otherwise of 16 bits, in vectors.
        by_rows: walk all tiles for one group of rows before the next group; not if blocked.
        blocked: whether the taps come in several blocks; sums wait in `sums` in between.
        echoes: whether what lies outside the tiles is written too, as copies of edge pixels.
    """

    dot: str
    epilogue: Epilogue
    rows: int
    tile_h: int
    tile_w: int
    stride_w: int = 1
    shared: bool = True
    unroll: int = 1
    wide: bool = False
    by_rows: bool = False
    blocked: bool = False
    echoes: bool = False

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "other",
        "tiles",
        "groups",
        "stream",
        "levels",
        "input_row",
        "output_row",
        "other_row",
        "tile_shares",
        "group_shares",
        "block_count",
        "block_bytes",
        "sums",
        "sums_bytes",
        "echo_bounds",
        "echoes",
        "echo_lanes",
    )

    @property
    def lists(self) -> int:
        """Lists of quads that a group of rows walks."""
        return 1 if self.shared else self.rows

    @property
    def list_rows(self) -> int:
        """Rows that one list serves."""
        return self.rows // self.lists

    @property
    def vectors(self) -> int:
        """Vectors of a tile."""
        return self.tile_h * self.tile_w

    @property
    def offset_bytes(self) -> int:
        """Bytes of one offset in the stream."""
        return 4 if self.wide else 2

    @property
    def has_rest(self) -> bool:
        """Whether a list has turns of a second kind: of one quad, whose products need 32 bits."""
        return self.dot == "short"

    @property
    def rest_dot(self) -> str:
        """How the products of the second kind of turns are added."""
        return "madd"

    @property
    def outputs(self) -> int:
        """Offsets of what a group of rows writes: quads of codes, or channels of floats."""
        return self.rows // 4 if self.epilogue.codes else self.rows

    @property
    def others(self) -> int:
        """Offsets of what is added."""
        return self.rows // 4 if self.epilogue.adds else 0

    def field(self, name: str) -> int:
        """Return where a part of a record begins, in bytes; "end" is its size."""
        sizes = {
            "streams": 8 * self.lists,
            "turns": 4 * self.lists,
            "rests": 4 * self.lists * self.has_rest,
            "base": 4,
            "outputs": 4 * self.outputs,
            "others": 4 * self.others,
            "starts": 4 * self.rows,
            "factors": 4 * self.rows,
            "terms": 4 * self.rows,
            "end": 0,
        }
        names = list(sizes)
        return sum(sizes[n] for n in names[: names.index(name)])

    def label(self) -> str:
        """Return for example "u8-conv-dense2-4x1x6-s1-vnni-codes-identity"."""
        form = f"{'dense' if self.shared else 'sparse'}{self.unroll}"
        tile = f"{self.rows}x{self.tile_h}x{self.tile_w}"
        flags = {"blocked": self.blocked, "wide": self.wide, "rows": self.by_rows}
        flags |= {"echoes": self.echoes}
        words = ["u8-conv", form, tile, f"s{self.stride_w}", self.dot, self.epilogue.label()]
        return "-".join(words + [name for name, on in flags.items() if on])

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each tile and each group of rows (or the other way round), one result."""
        e = emitter
        walk = _Walk(self, e)
        tiles = e.share("tile_shares")
        if self.by_rows:
            with walk.groups() as (_, record), e.loop(*tiles) as tile:
                walk.group(record, tile)
            return
        with e.loop(*tiles) as tile:
            if not self.blocked:
                with walk.groups() as (_, record):
                    walk.group(record, tile)
                return
            count = e.number("block_count")
            with e.loop(0, count) as block:
                first, last = e.equal(block, 0), e.equal(block, e.add(count, -1))
                with walk.groups(block) as (group, record):
                    walk.part(group, record, tile, first, last)


class _Walk:
    """Writes the loops."""

    def __init__(self, kernel: CodeConvKernel, e: KernelEmitter) -> None:
        self.kernel, self.e = kernel, e
        self._tiles, self._groups, self._stream = map(e.pointer, ("tiles", "groups", "stream"))
        self._sides = {
            field: (e.pointer(name), e.number(f"{name}_row"))
            for field, name in enumerate(("input", "output", "other"))
            if name != "other" or kernel.epilogue.adds
        }
        self._levels = Levels(e, kernel.epilogue)

    @contextmanager
    def groups(self, block: Value | int = 0) -> Iterator[tuple[Value, Value]]:
        """Loop over this thread's groups of rows in a block; yields them and their records."""
        e, records = self.e, self._groups
        if self.kernel.blocked:
            records = e.at(records, e.multiply(e.number("block_bytes"), block))
        with e.loop(*e.share("group_shares")) as group:
            yield group, e.at(records, e.multiply(group, self.kernel.field("end")))

    def group(self, record: Value, tile: Value) -> None:
        """Write one group of rows in one tile."""
        source = self._source(record, tile)

        def sums_of(index: int) -> Values:
            return self._sums(record, index, source, self._starts(record, index))

        self._results(record, tile, sums_of)

    def part(self, group: Value, record: Value, tile: Value, first: Value, last: Value) -> None:
        """Write one group of rows in one tile in one block of taps: maybe the first or the last."""
        k, e = self.kernel, self.e
        source, size = self._source(record, tile), k.list_rows * k.vectors * e.vector_bytes
        waiting = e.at(e.pointer("sums"), e.multiply(e.number("sums_bytes"), e.arguments[1]))
        waiting = e.at(waiting, e.multiply(group, k.lists * size))

        def held(index: int) -> Values:
            at = [index * size + i * e.vector_bytes for i in range(k.list_rows * k.vectors)]
            return [e.load(e.int_vector, waiting, i, align=e.vector_bytes) for i in at]

        def hold() -> Values:
            for index in range(k.lists):
                before = e.either(
                    first, lambda i=index: self._starts(record, i), lambda i=index: held(i)
                )
                for i, total in enumerate(self._sums(record, index, source, before)):
                    at = index * size + i * e.vector_bytes
                    e.store(total, waiting, at, align=e.vector_bytes)
            return []

        def finish() -> Values:
            self._results(record, tile, lambda i: self._sums(record, i, source, held(i)))
            return []

        e.either(last, finish, hold)

    def _source(self, record: Value, tile: Value) -> Values:
        base = self.e.load_offset(record, self.kernel.field("base"))
        return [self.e.at(row, base) for row in self._rows(tile, 0)]

    def _results(self, record: Value, tile: Value, sums_of: Callable[[int], Values]) -> None:
        """Turn the sums of all lists into results."""
        k = self.kernel
        targets = self._channels(record, "outputs", k.outputs, self._rows(tile, 1))
        others = []
        if k.epilogue.adds:
            others = self._channels(record, "others", k.others, self._rows(tile, 2))
        packed: list[Values] = [[] for _ in range(k.vectors)]
        for index in range(k.lists):
            sums = sums_of(index)
            for row in range(k.list_rows):
                m, mine = index * k.list_rows + row, sums[row * k.vectors : (row + 1) * k.vectors]
                self._finish(record, m, mine, packed, targets, others)
        if k.echoes:
            self._echo(record, tile)

    def _rows(self, tile: Value, field: int) -> Values:
        """Return the addresses of the rows of a tile: in the input, the output or the other."""
        e, (first, row_bytes) = self.e, self._sides[field]
        start = e.at(first, e.offset_in(self._tiles, tile, stride=TILE_BYTES, field=field))
        rows = [e.at(start, e.multiply(row_bytes, r)) for r in range(1, self.kernel.tile_h)]
        return [start, *rows]

    def _channels(self, record: Value, field: str, count: int, rows: Values) -> list[Values]:
        """Return the addresses of all vectors of a tile, for each quad or channel."""
        k, e = self.kernel, self.e
        places = [e.load_offset(record, k.field(field) + 4 * i) for i in range(count)]
        return [
            [e.at(e.at(row, place), c * e.vector_bytes) for row in rows for c in range(k.tile_w)]
            for place in places
        ]

    def _starts(self, record: Value, index: int) -> Values:
        """Return what the sums of a list start from."""
        k, e, sums = self.kernel, self.e, []
        for row in range(k.list_rows):
            at = k.field("starts") + 4 * (index * k.list_rows + row)
            first = e.builder.bitcast(e.splat(e.load(FLOAT, record, at)), e.int_vector)
            sums += [first] * k.vectors
        return sums

    def _sums(self, record: Value, index: int, source: Values, sums: Values) -> Values:
        """Walk a list and return its sums, row by row."""
        k, e = self.kernel, self.e
        start = e.at(self._stream, e.load(INT64, record, k.field("streams") + 8 * index, align=4))
        turns = e.load_offset(record, k.field("turns") + 4 * index)
        after = self._turns(turns, [start, *sums], source, k.dot, k.unroll)
        if k.has_rest:
            rests = e.load_offset(record, k.field("rests") + 4 * index)
            after = self._turns(rests, after, source, k.rest_dot, 1)
        return after[1:]

    def _turns(self, count: Value, before: Values, source: Values, dot: str, unroll: int) -> Values:
        """Walk turns of one kind; takes and returns the address in the stream, and the sums."""
        k, e, each = self.kernel, self.e, 4 * WORDS[dot]
        first = unroll * k.list_rows * each
        turn_bytes = first + -(-k.offset_bytes * unroll // 4) * 4
        with e.carried_loop(0, count, 1, before) as (_, (turn, *sums), set_next):
            e.prefetch(turn, PREFETCH_BYTES)
            offsets = self._offsets(turn, first, unroll)
            result = list(sums)
            # What is added in 16 bits over all quads of a turn needs all their inputs at once.
            runs = [range(unroll)] if dot == "short" else [[u] for u in range(unroll)]
            for run in runs:
                inputs = [self._inputs(source, offsets[u], dot) for u in run]
                for m in range(k.list_rows):
                    at = [each * (u * k.list_rows + m) for u in run]
                    weights = [load_words(e, turn, offset, dot) for offset in at]
                    for v in range(k.vectors):
                        i, mine = m * k.vectors + v, [x[v] for x in inputs]
                        result[i] = dot_product(e, result[i], mine, weights, dot)
            set_next([e.at(turn, turn_bytes), *result])
        return e.loop_results

    def _inputs(self, source: Values, offset: Value, dot: str) -> list[Values]:
        """Return the vectors of a quad, prepared for multiplication."""
        k, e = self.kernel, self.e
        step = k.stride_w * e.vector_bytes
        vectors = [
            e.load(e.int_vector, e.at(row, offset), c * step, align=e.vector_bytes)
            for row in source
            for c in range(k.tile_w)
        ]
        return [prepare(e, vector, dot) for vector in vectors]

    def _offsets(self, turn: Value, first: int, count: int) -> Values:
        """Read the offsets of a turn, in bytes."""
        k, e, b = self.kernel, self.e, self.e.builder
        if k.wide:
            return [e.load_offset(turn, first + 4 * i) for i in range(count)]
        narrow = [b.zext(e.load(INT16, turn, first + 2 * i, align=2), INT64) for i in range(count)]
        return [e.multiply(offset, e.vector_bytes) for offset in narrow]

    def _finish(
        self,
        record: Value,
        m: int,
        sums: Values,
        packed: list[Values],
        targets: list[Values],
        others: list[Values],
    ) -> None:
        """Turn the sums of row `m` into results, and write them when its quad is full."""
        k, e = self.kernel, self.e
        factor, term = (
            e.splat(e.load(FLOAT, record, k.field(name) + 4 * m)) for name in ("factors", "terms")
        )
        quad, byte = divmod(m, 4)
        for v, total in enumerate(sums):
            value = e.fma(e.builder.sitofp(total, e.vector), factor, term)
            if not k.epilogue.codes:
                e.store_vector(self._levels.real(value), targets[m][v])
                continue
            if k.epilogue.adds:
                other = e.load(e.int_vector, others[quad][v], align=e.vector_bytes)
                value = self._levels.plus(value, other, byte)
            codes = packed[v]
            codes.append(self._levels.code(value))
            if byte % 2:
                second, first = codes.pop(), codes.pop()
                codes.append(self._levels.pair(first, second))
            if byte == 3:
                second, first = codes.pop(), codes.pop()
                e.store_vector(self._levels.whole(first, second), targets[quad][v])

    def _echo(self, record: Value, tile: Value) -> None:
        """Copy the edge pixels that a tile of pixels has just written to where they are echoed."""
        k, e = self.kernel, self.e
        outputs, first = self._sides[1][0], k.field("outputs")
        channels = [e.at(outputs, e.load_offset(record, first + 4 * i)) for i in range(k.outputs)]
        bounds, echoes, lanes = (e.pointer(s) for s in ("echo_bounds", "echoes", "echo_lanes"))
        end = e.offset_in(bounds, e.add(tile, 1))
        with e.loop(e.offset_in(bounds, tile), end) as echo:
            source, target = (e.offset_in(echoes, echo, stride=8, field=f) for f in (0, 1))
            order = e.load(e.int_vector, lanes, e.multiply(echo, e.vector_bytes))
            for channel in channels:
                pixels = e.permute(e.load_vector(channel, source), order, self._levels.outside)
                e.store_vector(pixels, channel, target)
