"""Pooling over windows, and the mean of whole planes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT32, Value

MOST_COLUMNS = 64
"""Of a window whose code is written out column by column."""
TOGETHER = 4
"""Vectors of a channel that are summed apart from each other."""


@dataclass(frozen=True)
class PoolKernel(Kernel):
    """The largest entry or the scaled sum of a window, channel by channel.

    Columns of the input are combined over the rows of the window first, and then with each other:
    neighbouring windows share them.

    Args:
        function: "max", or "mean": the sum times the entry of the `factors` table for the pixel.
        window_w: columns of a window; more than `MOST_COLUMNS` only for tiles of one vector.
        tile_w: output vectors of a tile.
        stride_w: vectors from one output column to the next in the input.
        dilation_w: vectors from one column of a window to the next.
    """

    function: str
    window_w: int
    tile_w: int
    stride_w: int = 1
    dilation_w: int = 1

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "tiles",
        "tile_count",
        "row_tiles",
        "channels",
        "window_h",
        "window_row",
        "factors",
        "channel_shares",
    )

    def label(self) -> str:
        """Return for example "f32-pool-max-w3-6-s2-d1"."""
        size = f"w{self.window_w}-{self.tile_w}-s{self.stride_w}-d{self.dilation_w}"
        return f"f32-pool-{self.function}-{size}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each row of tiles, channel and tile, combine rows, then columns."""
        e = emitter
        x, y, tiles, channels = (e.pointer(s) for s in ("input", "output", "tiles", "channels"))
        with (
            e.row_of_tiles() as (begin, end),
            e.loop(*e.share("channel_shares")) as channel,
        ):
            inputs, outputs = (
                e.at(pointer, e.offset_in(channels, channel, stride=8, field=field))
                for field, pointer in enumerate((x, y))
            )
            with e.loop(begin, end) as tile:
                source, target, factors = (
                    e.at(pointer, e.offset_in(tiles, tile, stride=TILE_BYTES, field=field))
                    for field, pointer in enumerate((inputs, outputs, e.pointer("factors")))
                )
                self._tile(e, source, target, factors)

    def _tile(self, e: KernelEmitter, source: Value, target: Value, factors: Value) -> None:
        if self.window_w > MOST_COLUMNS:
            self._store(e, self._wide(e, source), target, factors)
            return
        windows = [
            [v * self.stride_w + tap * self.dilation_w for tap in range(self.window_w)]
            for v in range(self.tile_w)
        ]
        columns = self._columns(e, source, sorted(set().union(*windows)))
        for v, window in enumerate(windows):
            value = reduce(partial(self._combine, e), (columns[column] for column in window))
            self._store(e, value, target, factors, v * e.vector_bytes)

    def _store(
        self, e: KernelEmitter, value: Value, target: Value, factors: Value, at: int = 0
    ) -> None:
        if self.function == "mean":
            value = e.builder.fmul(value, e.load(e.vector, factors, at))
        e.store_vector(value, target, at)

    def _wide(self, e: KernelEmitter, source: Value) -> Value:
        """Return one window that is too wide to be written out, combined."""
        (first,) = self._columns(e, source, [0]).values()
        step = self.dilation_w * e.vector_bytes
        with e.carried_loop(1, self.window_w, 1, [first]) as (column, (value,), set_next):
            (entry,) = self._columns(e, e.at(source, e.multiply(column, step)), [0]).values()
            set_next([self._combine(e, value, entry)])
        return e.loop_results[0]

    def _columns(self, e: KernelEmitter, source: Value, used: list[int]) -> dict[int, Value]:
        """Return the columns that windows read, combined over the rows of a window."""
        row_bytes = e.number("window_row")
        first = [e.load_vector(source, column * e.vector_bytes) for column in used]
        with e.carried_loop(1, e.number("window_h"), 1, first) as (row, combined, set_next):
            at = e.at(source, e.multiply(row, row_bytes))
            entries = [e.load_vector(at, column * e.vector_bytes) for column in used]
            set_next([self._combine(e, *pair) for pair in zip(combined, entries, strict=True)])
        return dict(zip(used, e.loop_results, strict=True))

    def _combine(self, e: KernelEmitter, a: Value, b: Value) -> Value:
        return e.larger(a, b) if self.function == "max" else e.builder.fadd(a, b)


@dataclass(frozen=True)
class PlaneMeanKernel(Kernel):
    """The mean of each channel, planes → flat.

    The first `whole_count` positions, a multiple of `TOGETHER`, lie in the picture with all lanes;
    behind them, `inside` masks what lies outside.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "whole_count",
        "position_count",
        "inside",
        "channels",
        "factor",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "f32-plane-mean"."""
        return "f32-plane-mean"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: sum the vectors of a channel, then their lanes."""
        e = emitter
        x, y, channels, factor = (
            e.pointer(slot) for slot in ("input", "output", "channels", "factor")
        )
        with e.loop(*e.share("channel_shares")) as channel:
            total = self._vectors(e, e.at(x, e.offset_in(channels, channel)))
            half = e.lanes // 2
            while half:
                other = [(lane + half) % e.lanes for lane in range(e.lanes)]
                total, half = e.builder.fadd(total, e.shuffle(total, total, other)), half // 2
            sum_ = e.builder.extract_element(total, ir.Constant(INT32, 0))
            e.store(e.builder.fmul(sum_, e.load(FLOAT, factor)), y, e.multiply(channel, 4))

    def _vectors(self, e: KernelEmitter, source: Value) -> Value:
        """Return the sum of a channel's vectors, several at a time: one sum waits for itself."""
        positions, inside, whole = (
            e.pointer("positions"),
            e.pointer("inside"),
            e.number("whole_count"),
        )
        zero, add = e.constant(0.0), e.builder.fadd
        with e.carried_loop(0, whole, TOGETHER, [zero] * TOGETHER) as (first, sums, set_next):
            vectors = [
                e.load_vector(source, e.offset_in(positions, first, field=i))
                for i in range(TOGETHER)
            ]
            set_next([add(*pair) for pair in zip(sums, vectors, strict=True)])
        total = reduce(add, e.loop_results)
        with e.carried_loop(whole, e.number("position_count"), 1, [total]) as (
            position,
            (total,),
            set_next,
        ):
            vector = e.load_vector(source, e.offset_in(positions, position))
            mask = e.load(e.int_vector, inside, e.multiply(position, e.vector_bytes))
            set_next([add(total, e.select_nonzero(mask, vector, zero))])
        return e.loop_results[0]
