"""What dense kernels share that hold output channels in the lanes, over planes like all others.

A dense weight lets one vector hold neighbouring output channels: a tap is then a vector of weights
times one input number, which may be any pixel of any lane. No lane is lost where a picture does not
fill its vectors, and a tile is any `pixels` of them, times `vectors` of channels.

The sums of a *chunk* of vector positions wait in a small memory, channels side by side; at the end
they are transposed, vector by vector, into planes.

- Record of a block of channels: weights offset (64 bits), taps offset, vectors that hold channels,
  then an output offset and a bias for each channel.
- Weights of a block: the channels of one tap after the other.
- Record of a chunk: (begin, end) of its tiles, of its vector positions, of its echoes, and of what
  a kernel has beside them.
- A tile: the input offset of each of its pixels, then where its sums go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Protocol

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.jit.emitter import FLOAT, INT64, Value

TILES, PLACES, ECHOES, WINDOWS, WINDOW_PIXELS = range(5)
"""Fields of the record of a chunk."""


class ChannelKernel(Protocol):
    """What the walk asks of a kernel; see `ChannelConvKernel`."""

    chunk_fields: ClassVar[int]
    slots: ClassVar[tuple[str, ...]]

    @property
    def pixels(self) -> int:
        """Pixels of a tile."""
        ...

    @property
    def vectors(self) -> int:
        """Vectors of channels in a block."""
        ...

    @property
    def unroll(self) -> int:
        """Taps in one turn of the loop; it divides their number."""
        ...

    @property
    def activation(self) -> str:
        """Applied before the last store."""
        ...

    @property
    def adds(self) -> bool:
        """Whether the result is added to what the output holds."""
        ...


class ChannelWalk:
    """Writes the loops over chunks, blocks of channels and tiles."""

    def __init__(self, kernel: ChannelKernel, e: KernelEmitter) -> None:
        self.kernel, self.e = kernel, e
        names = ("input", "output", "tiles", "places", "chunks", "blocks", "weights", "taps")
        self.slot = {name: e.pointer(name) for name in names if name in kernel.slots}
        if "sums" in kernel.slots:
            self.sums = self.own("sums")
        self.pixel_bytes = kernel.vectors * e.vector_bytes

    def own(self, slot: str) -> Value:
        """Return this thread's part of a memory."""
        e = self.e
        return e.at(e.pointer(slot), e.multiply(e.arguments[1], e.number(f"{slot}_bytes")))

    @contextmanager
    def blocks(self) -> Iterator[Value]:
        """Loop over this thread's blocks of channels; yields their records."""
        e, size = self.e, 16 + 8 * self.kernel.vectors * self.e.lanes
        with e.loop(*e.share("block_shares")) as block:
            yield e.at(self.slot["blocks"], e.multiply(block, size))

    @contextmanager
    def chunks(self) -> Iterator[Value]:
        """Loop over this thread's chunks of the picture; yields their records."""
        e = self.e
        with e.loop(*e.share("chunk_shares")) as chunk:
            yield e.at(self.slot["chunks"], e.multiply(chunk, 8 * self.kernel.chunk_fields))

    @contextmanager
    def each(self, chunk: Value, field: int) -> Iterator[tuple[Value, Value]]:
        """Loop over what a chunk has of something; yields its index, and that in the chunk."""
        begin, end = (self.e.load_offset(chunk, 8 * field + side) for side in (0, 4))
        with self.e.loop(begin, end) as index:
            yield index, self.e.builder.sub(index, begin)

    @contextmanager
    def tiles(self, chunk: Value, source: Value) -> Iterator[tuple[Values, Values, Value]]:
        """Loop over tiles; yields addresses of pixels and of their sums' offsets, and a number."""
        e, pixels = self.e, self.kernel.pixels
        with self.each(chunk, TILES) as (index, number):
            tile = e.at(self.slot["tiles"], e.multiply(index, 8 * pixels))
            inputs = [e.at(source, e.load_offset(tile, 4 * p)) for p in range(pixels)]
            yield inputs, [e.at(tile, 4 * (pixels + p)) for p in range(pixels)], number

    def weights(self, block: Value) -> Value:
        """Return where the weights of a block begin."""
        return self.e.at(self.slot["weights"], self.e.load(INT64, block, align=8))

    def bias(self, block: Value, at: int | Value) -> Value:
        """Return the bias of the channels of a block whose vector lies at an offset."""
        e, size = self.e, self.kernel.vectors * self.e.lanes
        return e.load(e.vector, e.at(block, 16 + 4 * size), at)

    def sum_taps(
        self,
        pixels: Values,
        taps: tuple[Value, Value, Value],
        weights: Value,
        later: tuple[Value, Value],
        sums: Values,
    ) -> Values:
        """Return the sums of a tile over some taps.

        Args:
            pixels: addresses that the taps' offsets count from.
            taps: their table, the first and the end.
            weights: of the first.
            later: what is asked for ahead: where, and how many bytes further with each tap.
            sums: what they start from.
        """
        k, e = self.kernel, self.e
        table, first, end = taps
        with e.carried_loop(first, end, k.unroll, [weights, later[0], *sums]) as (
            tap,
            (at, ahead, *now),
            set_next,
        ):
            e.prefetch(ahead, 0)
            offsets = e.at(table, e.multiply(tap, 4))
            for u in range(k.unroll):
                offset = e.load_offset(offsets, 4 * u)
                now = self._tap(e.at(at, u * self.pixel_bytes), pixels, offset, now)
            ahead = e.at(ahead, e.multiply(later[1], k.unroll))
            set_next([e.at(at, k.unroll * self.pixel_bytes), ahead, *now])
        return e.loop_results[2:]

    def _tap(self, weights: Value, pixels: Values, offset: Value, sums: Values) -> Values:
        k, e, result = self.kernel, self.e, list(sums)
        columns = [e.load(e.vector, weights, v * e.vector_bytes) for v in range(k.vectors)]
        for p, pixel in enumerate(pixels):
            number = e.splat(e.load(FLOAT, e.at(pixel, offset)))
            for v, column in enumerate(columns):
                index = p * k.vectors + v
                result[index] = e.fma(number, column, result[index])
        return result

    def held(self, memory: Value, targets: Values) -> Values:
        """Return the sums that wait in a memory, at offsets that lie at `targets`."""
        e = self.e
        return [
            e.load_vector(e.at(memory, e.load_offset(target)), v * e.vector_bytes)
            for target in targets
            for v in range(self.kernel.vectors)
        ]

    def hold(self, memory: Value, targets: Values, sums: Sequence[Value]) -> None:
        """Let sums wait in a memory."""
        e, vectors = self.e, self.kernel.vectors
        for p, target in enumerate(targets):
            place = e.at(memory, e.load_offset(target))
            for v in range(vectors):
                e.store_vector(sums[p * vectors + v], place, v * e.vector_bytes)

    def write_planes(self, block: Value, chunk: Value) -> None:
        """Transpose the sums of a chunk into planes."""
        e, place_bytes = self.e, self.e.lanes * self.pixel_bytes
        with self.each(chunk, PLACES) as (index, number):
            held = e.at(self.sums, e.multiply(number, place_bytes))
            target = e.at(self.slot["output"], e.offset_in(self.slot["places"], index))
            with e.loop(0, e.load_offset(block, 12)) as v:
                source = e.at(held, e.multiply(v, e.vector_bytes))
                lanes = [e.load_vector(source, p * self.pixel_bytes) for p in range(e.lanes)]
                outputs = e.at(block, e.multiply(v, e.vector_bytes))
                channels = [
                    e.at(target, e.load_offset(outputs, 16 + 4 * c)) for c in range(e.lanes)
                ]
                self._write(channels, e.transpose(lanes))

    def _write(self, channels: Values, totals: Values) -> None:
        """Store one vector of each channel; a channel that comes twice is written twice alike."""
        e = self.e
        if self.kernel.adds:
            pairs = zip(totals, channels, strict=True)
            totals = [e.builder.fadd(total, e.load_vector(channel)) for total, channel in pairs]
        for total, channel in zip(totals, channels, strict=True):
            e.store_vector(activate(e, total, self.kernel.activation), channel)

    def echo(self, block: Value, chunk: Value) -> None:
        """Copy the edge pixels that a chunk has just written to where they are echoed."""
        e = self.e
        echoes, lanes = e.pointer("echoes"), e.pointer("echo_lanes")
        count = e.multiply(e.load_offset(block, 12), e.lanes)
        with self.each(chunk, ECHOES) as (index, _):
            source, target = (e.offset_in(echoes, index, stride=8, field=f) for f in (0, 1))
            order = e.load(e.int_vector, lanes, e.multiply(index, e.vector_bytes))
            with e.loop(0, count) as c:
                output = e.load_offset(e.at(block, e.multiply(c, 4)), 16)
                channel = e.at(self.slot["output"], output)
                e.store_vector(e.permute(e.load_vector(channel, source), order), channel, target)
