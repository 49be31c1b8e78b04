"""Depthwise convolution: one filter a channel, each vector read once for all taps in its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, Value


@dataclass(frozen=True)
class DepthwiseKernel(Kernel):
    """A row of output vectors at a time, written out column by column.

    A filter's row reads the vectors of an input row; neighbouring outputs share them. Record of a
    channel: its taps, row by row, then its bias, all float32.

    Args:
        filter_h: rows of a filter.
        filter_w: columns of a filter.
        tile_w: output vectors of a tile.
        stride_w: vectors from one output column to the next in the input.
        dilation_w: vectors from one tap to the next.
        activation: applied before the store.
    """

    filter_h: int
    filter_w: int
    tile_w: int
    stride_w: int = 1
    dilation_w: int = 1
    activation: str = "identity"

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "tiles",
        "tile_count",
        "row_tiles",
        "channels",
        "filters",
        "tap_row",
        "channel_shares",
    )

    def label(self) -> str:
        """Return for example "f32-depthwise-3x3-14-s1-d1-relu"."""
        size = f"{self.filter_h}x{self.filter_w}-{self.tile_w}"
        return f"f32-depthwise-{size}-s{self.stride_w}-d{self.dilation_w}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each row of tiles, channel and tile, a row of outputs."""
        e = emitter
        x, y, tiles, channels = (e.pointer(s) for s in ("input", "output", "tiles", "channels"))
        tap_row, numbers = e.number("tap_row"), self.filter_h * self.filter_w + 1
        with (
            e.row_of_tiles() as (begin, end),
            e.loop(*e.share("channel_shares")) as channel,
        ):
            record = e.at(e.pointer("filters"), e.multiply(channel, 4 * numbers))
            *taps, bias = (e.splat(e.load(FLOAT, record, 4 * i)) for i in range(numbers))
            inputs, outputs = (
                e.at(pointer, e.offset_in(channels, channel, stride=8, field=field))
                for field, pointer in enumerate((x, y))
            )
            with e.loop(begin, end) as tile:
                source, target = (
                    e.at(pointer, e.offset_in(tiles, tile, stride=TILE_BYTES, field=field))
                    for field, pointer in enumerate((inputs, outputs))
                )
                rows = [e.at(source, e.multiply(tap_row, r)) for r in range(self.filter_h)]
                self._row(e, rows, taps, bias, target)

    def _row(
        self, e: KernelEmitter, rows: list[Value], taps: list[Value], bias: Value, target: Value
    ) -> None:
        """Write the outputs of one tile: column by column of the input, each into all it serves."""
        sums = dict.fromkeys(range(self.tile_w), bias)
        for column in range((self.tile_w - 1) * self.stride_w + self._reach):
            served = self._served(column)
            for r, row in enumerate(rows if served else ()):
                vector = e.load_vector(row, column * e.vector_bytes)
                for output, tap in served:
                    weight = taps[r * self.filter_w + tap]
                    sums[output] = e.fma(weight, vector, sums[output])
            for output, tap in served:
                if tap == self.filter_w - 1:
                    total = activate(e, sums[output], self.activation)
                    e.store_vector(total, target, output * e.vector_bytes)

    @property
    def _reach(self) -> int:
        """Columns that a filter covers."""
        return (self.filter_w - 1) * self.dilation_w + 1

    def _served(self, column: int) -> list[tuple[int, int]]:
        """Return the (output, tap) that read an input column."""
        pairs = ((output, column - output * self.stride_w) for output in range(self.tile_w))
        return [
            (output, ahead // self.dilation_w)
            for output, ahead in pairs
            if 0 <= ahead < self._reach and ahead % self.dilation_w == 0
        ]
