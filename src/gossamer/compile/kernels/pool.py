"""Pooling over windows, and the mean of whole planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.kernel import TILE_BYTES, Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, INT32, Value


@dataclass(frozen=True)
class PoolKernel(Kernel):
    """The largest entry or the scaled sum of a window, channel by channel.

    Args:
        function: "max", or "mean": the sum times the entry of the `factors` table for the pixel.
        stride_w: vectors from one output column to the next in the input.
        tile_w: output vectors of a tile.
    """

    function: str
    tile_w: int
    stride_w: int = 1

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "tiles",
        "tile_count",
        "channels",
        "taps",
        "tap_count",
        "factors",
        "channel_shares",
    )

    def label(self) -> str:
        """Return for example "f32-pool-max-4-s2"."""
        return f"f32-pool-{self.function}-{self.tile_w}-s{self.stride_w}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel, tile and tap, combine."""
        e = emitter
        x, y, tiles, channels = (e.pointer(s) for s in ("input", "output", "tiles", "channels"))
        taps, factors = e.pointer("taps"), e.pointer("factors")
        tile_count, tap_count = e.number("tile_count"), e.number("tap_count")
        neutral = e.constant(float("-inf") if self.function == "max" else 0.0)
        with e.loop(*e.share("channel_shares")) as channel:
            x_channel = e.at(x, e.offset_in(channels, channel, stride=8))
            y_channel = e.at(y, e.offset_in(channels, channel, stride=8, field=1))
            with e.loop(0, tile_count) as tile:
                source = e.at(x_channel, e.offset_in(tiles, tile, stride=TILE_BYTES))
                target = e.at(y_channel, e.offset_in(tiles, tile, stride=TILE_BYTES, field=1))
                factor = e.at(factors, e.offset_in(tiles, tile, stride=TILE_BYTES, field=2))
                with e.carried_loop(0, tap_count, 1, [neutral] * self.tile_w) as (
                    tap,
                    values,
                    set_next,
                ):
                    window = e.at(source, e.offset_in(taps, tap))
                    set_next([self._combine(e, value, window, v) for v, value in enumerate(values)])
                for v, value in enumerate(e.loop_results):
                    e.store_vector(self._finish(e, value, factor, v), target, v * e.vector_bytes)

    def _combine(self, e: KernelEmitter, value: Value, window: Value, v: int) -> Value:
        entry = e.load_vector(window, v * self.stride_w * e.vector_bytes)
        return e.larger(value, entry) if self.function == "max" else e.builder.fadd(value, entry)

    def _finish(self, e: KernelEmitter, value: Value, factor: Value, v: int) -> Value:
        if self.function == "max":
            return value
        return e.builder.fmul(value, e.load(e.vector, factor, v * e.vector_bytes))


@dataclass(frozen=True)
class PlaneMeanKernel(Kernel):
    """The mean of each channel, planes → flat; `inside` masks what is outside the picture."""

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
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
        x, y, positions, inside = (e.pointer(s) for s in ("input", "output", "positions", "inside"))
        channels, count, factor = (
            e.pointer("channels"),
            e.number("position_count"),
            e.pointer("factor"),
        )
        zero = e.constant(0.0)
        with e.loop(*e.share("channel_shares")) as channel:
            source = e.at(x, e.offset_in(channels, channel))
            with e.carried_loop(0, count, 1, [zero]) as (position, (total,), set_next):
                vector = e.load_vector(e.at(source, e.offset_in(positions, position)))
                mask = e.load(e.int_vector, inside, e.multiply(position, e.vector_bytes))
                set_next([e.builder.fadd(total, e.select_nonzero(mask, vector, zero))])
            total = e.loop_results[0]
            value = ir.Constant(FLOAT, 0.0)
            for lane in range(e.lanes):
                value = e.builder.fadd(
                    value, e.builder.extract_element(total, ir.Constant(INT32, lane))
                )
            mean = e.builder.fmul(value, e.load(FLOAT, factor))
            e.store(mean, y, e.multiply(channel, 4))
