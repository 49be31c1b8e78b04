"""Dense convolution with output channels in the lanes: any kernel size, stride, dilation, groups.

The taps of all tiles of a chunk are summed a *piece* at a time, so that the weights of a piece stay
near, and those of the next piece are asked for meanwhile: large weights come from memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.channel_walk import ChannelWalk
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.jit.emitter import Value


@dataclass(frozen=True)
class ChannelConvKernel(Kernel):
    """A dense convolution kernel.

    Args:
        pixels: of a tile.
        vectors: of output channels in a block.
        unroll: taps in one turn; it divides their number.
        activation: applied before the store.
        adds: whether the result is added to what the output holds (a residual connection).
        echoes: whether what lies outside the tiles is written too, as copies of edge pixels.
    """

    pixels: int
    vectors: int
    unroll: int = 1
    activation: str = "identity"
    adds: bool = False
    echoes: bool = False

    chunk_fields: ClassVar[int] = 3
    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "sums",
        "sums_bytes",
        "tiles",
        "places",
        "chunks",
        "chunk_shares",
        "blocks",
        "block_shares",
        "weights",
        "taps",
        "tap_count",
        "piece_taps",
        "ahead_bytes",
        "echoes",
        "echo_lanes",
    )

    def label(self) -> str:
        """Return for example "f32-conv-dense-channels6x2-relu-adds"."""
        tile = f"channels{self.pixels}x{self.vectors}"
        flags = {"adds": self.adds, "echoes": self.echoes}
        words = ["f32-conv-dense", tile, f"u{self.unroll}", self.activation]
        return "-".join(words + [name for name, on in flags.items() if on])

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block of channels, for each chunk of the picture, sum and write."""
        walk = _Walk(self, emitter)
        with walk.blocks() as block, walk.chunks() as chunk:
            walk.sum_pieces(block, chunk)
            walk.write_planes(block, chunk)
            if self.echoes:
                walk.echo(block, chunk)


class _Walk(ChannelWalk):
    def sum_pieces(self, block: Value, chunk: Value) -> None:
        """Sum the taps of each tile of a chunk: a piece of them for all tiles, then the next."""
        e = self.e
        taps = e.at(self.slot["taps"], e.load_offset(block, 8))
        count, piece, ahead = (e.number(s) for s in ("tap_count", "piece_taps", "ahead_bytes"))
        with e.loop(0, count, piece) as first:
            end = e.minimum(e.add(first, piece), count)
            weights = e.at(self.weights(block), e.multiply(first, self.pixel_bytes))
            later = e.at(weights, e.multiply(piece, self.pixel_bytes))
            with self.tiles(chunk, self.slot["input"]) as (pixels, targets, number):
                sums = e.either(
                    e.equal(first, 0),
                    lambda: self._biases(block),
                    lambda targets=targets: self.held(self.sums, targets),
                )
                start = e.at(later, e.multiply(number, e.multiply(piece, ahead)))
                sums = self.sum_taps(pixels, (taps, first, end), weights, (start, ahead), sums)
                self.hold(self.sums, targets, sums)

    def _biases(self, block: Value) -> Values:
        k, e = self.kernel, self.e
        return [self.bias(block, v * e.vector_bytes) for v in range(k.vectors)] * k.pixels
