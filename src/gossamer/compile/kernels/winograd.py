"""Dense convolution by Winograd's minimal filtering: fewer products than outputs have taps.

F(m×m, r×r) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016): with
d a *window* of inputs and g a filter, m×m outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, of (m + r − 1)²
products; the matrices are those of `MinimalFilter`. A window of tile positions consists of whole
vectors, so that transforming inputs moves no lanes. What remains are as many products of matrices,
channels in the lanes, as in a 1×1 convolution; their results are transformed channel by channel,
and written into planes as `ChannelWalk` does.

A filter of stride s is the sum of s² filters of stride 1, each over the inputs of one *phase*, that
is every s-th row and column. All are treated as having as many taps as the longest, so that their
products are summed before they are transformed: to the products, phases are more channels.

An infinity in a window makes NaN of outputs that read it, where other kernels give an infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gossamer.compile.kernels.channel_walk import WINDOW_PIXELS, WINDOWS, ChannelWalk
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.compile.kernels.minimal_filter import MinimalFilter
from gossamer.jit.emitter import Value


@dataclass(frozen=True)
class WinogradKernel(Kernel):
    """A dense convolution kernel for square filters.

    Args:
        outputs: m, of a window along each axis.
        size: of a filter along each axis.
        stride: along both axes.
        pixels: of a tile: windows that are multiplied together, each in one lane.
        vectors: of output channels in a block.
        unroll: input channels in one turn; it divides their number.
        activation: applied before the store.
        adds: whether the result is added to what the output holds (a residual connection).
        echoes: whether what lies outside the tiles is written too, as copies of edge pixels.
    """

    outputs: int
    size: int
    stride: int
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

    @property
    def filter(self) -> MinimalFilter:
        """What is done along each axis."""
        return MinimalFilter(self.outputs, -(-self.size // self.stride))

    @property
    def products(self) -> int:
        """Of a window and a channel."""
        return self.filter.products**2

    def reach(self, phase: int) -> int:
        """Return how many inputs of a phase a window has along an axis."""
        return self.outputs - 1 + len(range(phase, self.size, self.stride))

    def label(self) -> str:
        """Return for example "f32-conv-dense-winograd2x3-s1-6x2-u1-relu-adds"."""
        algorithm = f"winograd{self.outputs}x{self.filter.taps}-s{self.stride}"
        flags = {"adds": self.adds, "echoes": self.echoes}
        tile = f"{self.pixels}x{self.vectors}-u{self.unroll}"
        words = ["f32-conv-dense", algorithm, tile, self.activation]
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
        self.winograd = kernel
        self.inputs, self.products = self.own("inputs"), self.own("products")
        self.count, self.product_bytes = e.number("channel_count"), e.number("product_bytes")
        self.half = e.scratch(kernel.products)

    def transform_inputs(self, chunk: Value) -> None:
        """Write Bᵀ d B of each window, channel and phase."""
        e, stride = self.e, self.winograd.stride
        channels, windows, taps = e.pointer("channels"), e.pointer("windows"), self.slot["taps"]
        input_row, phases = e.number("input_row"), stride * stride
        with self.each(chunk, WINDOWS) as (index, number):
            window = e.at(self.slot["input"], e.offset_in(windows, index))
            target = e.at(self.inputs, e.multiply(number, e.vector_bytes))
            with e.loop(0, self.count, phases) as count:
                channel = e.builder.udiv(count, e.integer(phases)) if phases > 1 else count
                first = e.at(window, e.offset_in(channels, channel))
                places = e.at(taps, e.multiply(count, 4))
                for p in range(phases):
                    at = e.at(first, e.multiply(input_row, p // stride))
                    place = e.at(target, e.load_offset(places, 4 * p))
                    self._spread(e.at(at, p % stride * e.vector_bytes), divmod(p, stride), place)

    def _spread(self, first: Value, phase: tuple[int, int], place: Value) -> None:
        """Write Bᵀ d B of what begins at `first`."""
        e, k, size = self.e, self.winograd, self.e.vector_bytes
        matrix, input_row, n = k.filter.input_matrix, e.number("input_row"), k.filter.products
        rows, columns = (k.reach(p) for p in phase)
        with e.loop(0, columns) as c:
            at = e.at(first, e.multiply(c, k.stride * size))
            read = [e.load_vector(at, e.multiply(input_row, k.stride * r)) for r in range(rows)]
            self._keep(self._combine(matrix, read), e.multiply(c, size), n * size)
        with e.loop(0, n) as i:
            kept = e.at(self.half, e.multiply(i, n * size))
            held = [e.load_vector(kept, c * size) for c in range(columns)]
            target = e.at(place, e.multiply(i, e.multiply(self.product_bytes, n)))
            for j, value in enumerate(self._combine(matrix, held)):
                e.store_vector(value, target, e.multiply(self.product_bytes, j))

    def _keep(self, vectors: Values, first: Value, step_bytes: int) -> None:
        """Keep what is transformed along one axis."""
        for i, value in enumerate(vectors):
            self.e.store_vector(value, self.e.at(self.half, first), i * step_bytes)

    def multiply(self, block: Value, chunk: Value) -> None:
        """Write the products of matrices."""
        k, e = self.winograd, self.e
        ahead, taps = e.number("ahead_bytes"), (self.slot["taps"], e.integer(0), self.count)
        piece_bytes = e.multiply(self.count, self.pixel_bytes)
        nothing = [e.constant(0.0)] * (k.pixels * k.vectors)
        with e.loop(0, k.products) as nth:
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
        e, table, k = self.e, self.e.pointer("targets"), self.winograd
        with self.each(chunk, WINDOW_PIXELS) as (index, number):
            products = e.at(self.products, e.multiply(number, k.products * self.pixel_bytes))
            targets = e.at(table, e.multiply(index, 4 * k.outputs**2))
            with e.loop(0, e.load_offset(block, 12)) as v:
                self._gather(block, products, targets, e.multiply(v, e.vector_bytes))

    def _gather(self, block: Value, products: Value, targets: Value, at: Value) -> None:
        """Write the outputs of a pixel for the vector of channels at an offset."""
        e, k, size = self.e, self.winograd, self.e.vector_bytes
        matrix, n, m = k.filter.result_matrix, k.filter.products, k.outputs
        place, bias = e.at(products, at), self.bias(block, at)
        with e.loop(0, n) as j:
            column = e.at(place, e.multiply(j, self.pixel_bytes))
            read = [e.load_vector(column, n * i * self.pixel_bytes) for i in range(n)]
            self._keep(self._combine(matrix, read), e.multiply(j, size), n * size)
        with e.loop(0, m) as a:
            kept, record = (
                e.at(p, e.multiply(a, s)) for p, s in ((self.half, n * size), (targets, 4 * m))
            )
            held = [e.load_vector(kept, j * size) for j in range(n)]
            for c, value in enumerate(self._combine(matrix, held)):
                total = e.builder.fadd(value, bias)
                target = e.at(self.sums, e.load_offset(record, 4 * c))
                e.store_vector(total, e.at(target, at))

    def _combine(self, matrix: np.ndarray, vectors: Sequence[Value]) -> Values:
        """Return the product of a matrix and a column of vectors; those not given are zero."""
        return [self._weighted_sum(row[: len(vectors)], vectors) for row in matrix.tolist()]

    def _weighted_sum(self, factors: Sequence[float], vectors: Sequence[Value]) -> Value:
        """Return Σ factor · vector; the first of them that has the factor 1 needs no product."""
        e = self.e
        terms = [pair for pair in zip(factors, vectors, strict=True) if pair[0]]
        terms.sort(key=lambda pair: (pair[0] != 1, abs(pair[0]) != 1))
        (factor, vector), *rest = terms
        total = vector if factor == 1 else e.builder.fmul(e.constant(factor), vector)
        for factor, vector in rest:
            if abs(factor) == 1:
                total = (e.builder.fadd if factor > 0 else e.builder.fsub)(total, vector)
            else:
                total = e.fma(e.constant(factor), vector, total)
        return total
