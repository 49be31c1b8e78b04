"""Dense 3×3 convolution of stride 1 with 16 products for 4 outputs in place of 36.

Winograd's F(2×2, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016): with d a *window* of 4×4 inputs and g a filter, the 2×2 outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A.
A window of tile positions is 4×4 whole vectors, so that transforming inputs moves no lanes. What
remains are 16 products of matrices, channels in the lanes, as in a 1×1 convolution; their results
are transformed channel by channel, and written into planes as `ChannelWalk` does.

An infinity in a window makes NaN of outputs that read it, where other kernels give an infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.channel_walk import WINDOW_PIXELS, WINDOWS, ChannelWalk
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.jit.emitter import Value

PRODUCTS = 16


@dataclass(frozen=True)
class WinogradKernel(Kernel):
    """A dense 3×3 convolution kernel.

    Args:
        pixels: of a tile: windows that are multiplied together, each in one lane.
        vectors: of output channels in a block.
        unroll: input channels in one turn; it divides their number.
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

    keeps_infinities: ClassVar[bool] = False
    chunk_fields: ClassVar[int] = 5
    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "inputs",
        "inputs_bytes",
        "products",
        "products_bytes",
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
        "channels",
        "channel_count",
        "product_bytes",
        "ahead_bytes",
        "input_row",
        "windows",
        "targets",
        "echoes",
        "echo_lanes",
    )

    def label(self) -> str:
        """Return for example "f32-conv-dense-winograd6x2-relu-adds"."""
        tile = f"winograd{self.pixels}x{self.vectors}"
        flags = {"adds": self.adds, "echoes": self.echoes}
        words = ["f32-conv-dense", tile, f"u{self.unroll}", self.activation]
        return "-".join(words + [name for name, on in flags.items() if on])

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each chunk, transform; for each block of channels, multiply and write."""
        walk = _Walk(self, emitter)
        with walk.chunks() as chunk:
            walk.transform_inputs(chunk)
            with walk.blocks() as block:
                walk.multiply(block, chunk)
                walk.transform_products(block, chunk)
                walk.write_planes(block, chunk)
                if self.echoes:
                    walk.echo(block, chunk)


class _Walk(ChannelWalk):
    def __init__(self, kernel: WinogradKernel, e: KernelEmitter) -> None:
        super().__init__(kernel, e)
        self.inputs, self.products = self.own("inputs"), self.own("products")
        self.count, self.product_bytes = e.number("channel_count"), e.number("product_bytes")

    def transform_inputs(self, chunk: Value) -> None:
        """Write Bᵀ d B of each window and channel."""
        e = self.e
        channels, windows = e.pointer("channels"), e.pointer("windows")
        input_row, taps = e.number("input_row"), self.slot["taps"]
        with self.each(chunk, WINDOWS) as (index, number):
            window = e.at(self.slot["input"], e.offset_in(windows, index))
            target = e.at(self.inputs, e.multiply(number, e.vector_bytes))
            with e.loop(0, self.count) as channel:
                first = e.at(window, e.offset_in(channels, channel))
                rows = [e.at(first, e.multiply(input_row, r)) for r in range(4)]
                place = e.at(target, e.offset_in(taps, channel))
                loaded = [
                    [e.load_vector(row, c * e.vector_bytes) for row in rows] for c in range(4)
                ]
                columns = [self._spread(column) for column in loaded]
                for i in range(4):
                    for j, value in enumerate(self._spread([column[i] for column in columns])):
                        e.store_vector(value, place, e.multiply(self.product_bytes, 4 * i + j))

    def _spread(self, d: Sequence[Value]) -> Values:
        """Return Bᵀ d."""
        b = self.e.builder
        return [b.fsub(d[0], d[2]), b.fadd(d[1], d[2]), b.fsub(d[2], d[1]), b.fsub(d[1], d[3])]

    def multiply(self, block: Value, chunk: Value) -> None:
        """Write the 16 products of matrices."""
        k, e = self.kernel, self.e
        ahead, taps = e.number("ahead_bytes"), (self.slot["taps"], e.integer(0), self.count)
        piece_bytes = e.multiply(self.count, self.pixel_bytes)
        nothing = [e.constant(0.0)] * (k.pixels * k.vectors)
        with e.loop(0, PRODUCTS) as nth:
            weights = e.at(self.weights(block), e.multiply(nth, piece_bytes))
            later, source = (
                e.at(weights, piece_bytes),
                e.at(self.inputs, e.multiply(nth, self.product_bytes)),
            )
            target = e.at(self.products, e.multiply(nth, self.pixel_bytes))
            with self.tiles(chunk, source) as (pixels, targets, number):
                start = e.at(later, e.multiply(number, e.multiply(self.count, ahead)))
                sums = self.sum_taps(pixels, taps, weights, (start, ahead), nothing)
                self.hold(target, targets, sums)

    def transform_products(self, block: Value, chunk: Value) -> None:
        """Write Aᵀ m A and the bias where the sums of each pixel wait."""
        e, table = self.e, self.e.pointer("targets")
        with self.each(chunk, WINDOW_PIXELS) as (index, number):
            products = e.at(self.products, e.multiply(number, PRODUCTS * self.pixel_bytes))
            targets = [
                e.at(self.sums, e.offset_in(table, index, stride=16, field=f)) for f in range(4)
            ]
            with e.loop(0, e.load_offset(block, 12)) as v:
                self._transform(block, products, targets, e.multiply(v, e.vector_bytes))

    def _transform(self, block: Value, products: Value, targets: Values, at: Value) -> None:
        """Write the four outputs of a pixel for the vector of channels at an offset."""
        e = self.e
        place, bias = e.at(products, at), self.bias(block, at)
        columns = [
            self._gather([e.load_vector(place, (4 * i + j) * self.pixel_bytes) for i in range(4)])
            for j in range(4)
        ]
        for a in range(2):
            for c, value in enumerate(self._gather([column[a] for column in columns])):
                total = e.builder.fadd(value, bias)
                e.store_vector(total, e.at(targets[2 * a + c], at))

    def _gather(self, m: Sequence[Value]) -> Values:
        """Return Aᵀ m."""
        b = self.e.builder
        both, difference = b.fadd(m[1], m[2]), b.fsub(m[1], m[2])
        return [b.fadd(m[0], both), b.fsub(difference, m[3])]
