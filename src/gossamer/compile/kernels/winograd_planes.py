"""Winograd's minimal filtering with windows in the lanes: outputs go to planes as they are.

Inputs are transformed as `WinogradKernel` does; a product is then a vector of windows times one
weight, so that results need no transposing. It pays where pictures fill the lanes of their tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.channel_walk import WINDOWS
from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.compile.kernels.winograd import WinogradKernel, WinogradWalk
from gossamer.jit.emitter import FLOAT, Value


@dataclass(frozen=True)
class WinogradPlanesKernel(WinogradKernel):
    """A dense convolution kernel for square filters; its results are not added to others.

    A tile is `pixels` vectors of windows times `rows` channels; an output that another window
    computes, too, has a negative entry in `places`.

    Args:
        rows: output channels of a tile; it divides those of a block.
    """

    rows: int = 4

    slots: ClassVar[tuple[str, ...]] = tuple(
        slot
        for slot in (*WinogradKernel.slots, "row_bytes", "nth_bytes")
        if slot not in ("sums", "sums_bytes", "tiles", "targets", "ahead_bytes")
    )

    def label(self) -> str:
        """Return for example "f32-conv-dense-winograd3x4-s2-planes4x3x2-u3-relu-echoes"."""
        tile = f"{self.pixels}x{self.vectors}"
        return super().label().replace(f"-{tile}-", f"-planes{self.rows}x{tile}-")

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each chunk, transform; for each block of channels, multiply and transform."""
        walk = _PlanesWalk(self, emitter)
        with walk.chunks() as chunk:
            walk.transform_inputs(chunk)
            with walk.blocks() as block:
                walk.multiply(block, chunk)
                walk.transform_products(block, chunk)
                if self.echoes:
                    walk.echo(block, chunk)


class _PlanesWalk(WinogradWalk):
    """Products of a block lie in (products, channels of the block, windows)."""

    def __init__(self, kernel: WinogradPlanesKernel, e: KernelEmitter) -> None:
        super().__init__(kernel, e)
        self.rows = kernel.rows
        self.row_bytes, self.nth_bytes = e.number("row_bytes"), e.number("nth_bytes")

    def multiply(self, block: Value, chunk: Value) -> None:
        """Write the products of windows and weights."""
        k, e = self.winograd, self.e
        begin, end = (e.load_offset(chunk, 8 * WINDOWS + side) for side in (0, 4))
        last = e.add(e.builder.sub(end, begin), -k.pixels)
        parts = e.builder.udiv(self._channels(block), e.integer(self.rows))
        with (
            self.each_product(block) as (nth, source, weights, first, stop),
            e.loop(0, e.add(last, k.pixels), k.pixels) as following,
        ):
            window = e.multiply(e.minimum(following, last), e.vector_bytes)
            inputs = e.at(source, window)
            target = e.at(e.at(self.products, e.multiply(nth, self.nth_bytes)), window)
            with e.loop(0, parts) as part:
                row = e.multiply(part, self.rows)
                sums = self._tile(inputs, e.at(weights, e.multiply(row, 4)), first, stop)
                place = e.at(target, e.multiply(row, self.row_bytes))
                for r in range(self.rows):
                    for w in range(k.pixels):
                        at = e.add(e.multiply(self.row_bytes, r), w * e.vector_bytes)
                        e.store_vector(sums[r * k.pixels + w], place, at)

    def _channels(self, block: Value) -> Value:
        return self.e.multiply(self.e.load_offset(block, 12), self.e.lanes)

    def _tile(self, inputs: Value, weights: Value, first: Value, end: Value) -> Values:
        """Return the sums of a tile over channels from `first` on."""
        k, e = self.winograd, self.e
        sums = [e.constant(0.0)] * (self.rows * k.pixels)
        with e.carried_loop(first, end, k.unroll, [weights, *sums]) as (tap, (at, *now), set_next):
            offsets = e.at(self.slot["taps"], e.multiply(tap, 4))
            for u in range(k.unroll):
                source = e.at(inputs, e.load_offset(offsets, 4 * u))
                vectors = [e.load_vector(source, w * e.vector_bytes) for w in range(k.pixels)]
                for r in range(self.rows):
                    weight = e.splat(e.load(FLOAT, at, u * self.pixel_bytes + 4 * r))
                    for w, vector in enumerate(vectors):
                        index = r * k.pixels + w
                        now[index] = e.fma(weight, vector, now[index])
            set_next([e.at(at, k.unroll * self.pixel_bytes), *now])
        return e.loop_results[1:]

    def transform_products(self, block: Value, chunk: Value) -> None:
        """Write Aᵀ m A, the bias and the activation, into planes."""
        e, k, biases = self.e, self.winograd, 16 + 4 * self.kernel.vectors * self.e.lanes
        with e.loop(0, self._channels(block)) as channel:
            entry = e.at(block, e.multiply(channel, 4))
            bias = e.splat(e.load(FLOAT, entry, biases))
            output = e.at(self.slot["output"], e.load_offset(entry, 16))
            row = e.at(self.products, e.multiply(channel, self.row_bytes))
            with self.each(chunk, WINDOWS) as (index, number):
                products = e.at(row, e.multiply(number, e.vector_bytes))
                places = e.at(self.slot["places"], e.multiply(index, 4 * k.outputs**2))
                for value, place in self.results(products, places, self.nth_bytes):
                    total = activate(e, e.builder.fadd(value, bias), k.activation)
                    e.store_vector(total, self._target(output, e.load_offset(place)))

    def _target(self, output: Value, offset: Value) -> Value:
        """Return where an output goes: to planes, or, if another window has it, nowhere."""
        e, k = self.e, self.winograd
        spare = e.at(self.half, k.outputs * k.filter.products * e.vector_bytes)
        is_ours = e.builder.icmp_signed(">=", offset, e.integer(0))
        return e.builder.select(is_ours, e.at(output, offset), spare)
