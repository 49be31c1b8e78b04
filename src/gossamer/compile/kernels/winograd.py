"""Dense convolution by Winograd's minimal filtering: fewer products than outputs have taps.

F(m×m, r×r) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016): with
d a *window* of inputs and g a filter, m×m outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, of (m + r − 1)²
products; the matrices are those of `MinimalFilter`. A window of tile positions consists of whole
vectors, so that transforming inputs moves no lanes. What remains are as many products of matrices,
channels in the lanes, as in a 1×1 convolution; their results are transformed channel by channel,
and written into planes as `ChannelWalk` does.

A filter of stride s is the sum of s² filters of stride 1, each over a phase of the inputs (see
`Phases`). All are treated as having as many taps as the longest, so that their products are summed
before they are transformed: to the products, phases are more channels, phase by phase. Products of
the point at infinity sum over fewer of them.

- Table `spans`: of each product, the first channel, the end, and its weights' offset in a block's.

An infinity in a window makes NaN of outputs that read it, where other kernels give an infinity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from gossamer.compile.kernels.channel_walk import WINDOW_PIXELS, WINDOWS, ChannelWalk
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter, Values
from gossamer.compile.kernels.minimal_filter import MinimalFilter
from gossamer.compile.kernels.phases import Phases
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
        unroll: input channels in one turn; it divides the channels of a phase.
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
        "spans",
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
        return MinimalFilter(self.outputs, self.phases.taps)

    @property
    def phases(self) -> Phases:
        """Of the stride."""
        return Phases(self.size, self.stride)

    @property
    def products(self) -> int:
        """Of a window and a channel."""
        return self.filter.products**2

    def reach(self, phase: int) -> int:
        """Return how many inputs of a phase a window has along an axis."""
        return self.outputs - 1 + self.phases.taps_of(phase)

    def label(self) -> str:
        """Return for example "f32-conv-dense-winograd2x3-s1-6x2-u1-relu-adds"."""
        algorithm = f"winograd{self.outputs}x{self.filter.taps}-s{self.stride}"
        flags = {"adds": self.adds, "echoes": self.echoes}
        tile = f"{self.pixels}x{self.vectors}-u{self.unroll}"
        words = ["f32-conv-dense", algorithm, tile, self.activation]
        return "-".join(words + [name for name, on in flags.items() if on])

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each chunk, transform; for each block of channels, multiply and write."""
        walk = WinogradWalk(self, emitter)
        with walk.chunks() as chunk:
            walk.transform_inputs(chunk)
            with walk.blocks() as block:
                walk.multiply(block, chunk)
                walk.transform_products(block, chunk)
                walk.write_planes(block, chunk)
                if self.echoes:
                    walk.echo(block, chunk)


class WinogradWalk(ChannelWalk):
    """Writes the steps of the algorithm."""

    def __init__(self, kernel: WinogradKernel, e: KernelEmitter) -> None:
        super().__init__(kernel, e)
        self.winograd = kernel
        self.inputs, self.products = self.own("inputs"), self.own("products")
        self.count, self.product_bytes = e.number("channel_count"), e.number("product_bytes")
        self.half = e.scratch(kernel.products)

    def transform_inputs(self, chunk: Value) -> None:
        """Write Bᵀ d B of each window, channel and phase."""
        e, phases = self.e, self.winograd.phases.order
        channels, windows, input_row = (
            e.pointer("channels"),
            e.pointer("windows"),
            e.number("input_row"),
        )
        per_phase = e.builder.udiv(self.count, e.integer(len(phases)))
        with self.each(chunk, WINDOWS) as (index, number):
            window = e.at(self.slot["input"], e.offset_in(windows, index))
            target = e.at(self.inputs, e.multiply(number, e.vector_bytes))
            with e.loop(0, per_phase) as channel:
                first = e.at(window, e.offset_in(channels, channel))
                for rank, (row, column) in enumerate(phases):
                    tap = e.add(channel, e.multiply(per_phase, rank))
                    place = e.at(target, e.offset_in(self.slot["taps"], tap))
                    at = e.at(e.at(first, e.multiply(input_row, row)), column * e.vector_bytes)
                    self._spread(at, (row, column), place)

    def _spread(self, first: Value, phase: tuple[int, int], place: Value) -> None:
        """Write Bᵀ d B of what begins at `first`, without what a shorter filter does not need."""
        e, k, size = self.e, self.winograd, self.e.vector_bytes
        matrix, input_row, n = k.filter.input_matrix, e.number("input_row"), k.filter.products
        rows, columns = (k.reach(p) for p in phase)
        with e.loop(0, columns) as c:
            at = e.at(first, e.multiply(c, k.stride * size))
            read = [e.load_vector(at, e.multiply(input_row, k.stride * r)) for r in range(rows)]
            self._keep(self._combine(matrix[:rows], read), e.multiply(c, size), n * size)
        with e.loop(0, rows) as i:
            kept = e.at(self.half, e.multiply(i, n * size))
            held = [e.load_vector(kept, c * size) for c in range(columns)]
            target = e.at(place, e.multiply(i, e.multiply(self.product_bytes, n)))
            for j, value in enumerate(self._combine(matrix[:columns], held)):
                e.store_vector(value, target, e.multiply(self.product_bytes, j))

    def _keep(self, vectors: Values, first: int | Value, step_bytes: int) -> None:
        """Keep what is transformed along one axis."""
        for i, value in enumerate(vectors):
            self.e.store_vector(value, self.e.at(self.half, first), i * step_bytes)

    @contextmanager
    def each_product(self, block: Value) -> Iterator[tuple[Value, Value, Value, Value, Value]]:
        """Loop over products; yields which, its inputs, weights, first channel and the end."""
        e, spans = self.e, self.e.pointer("spans")
        with e.loop(0, self.winograd.products) as nth:
            span = e.at(spans, e.multiply(nth, 12))
            first, end, offset = (e.load_offset(span, 4 * field) for field in range(3))
            inputs = e.at(self.inputs, e.multiply(nth, self.product_bytes))
            yield nth, inputs, e.at(self.weights(block), offset), first, end

    def multiply(self, block: Value, chunk: Value) -> None:
        """Write the products of matrices."""
        k, e = self.winograd, self.e
        ahead = e.number("ahead_bytes")
        nothing = [e.constant(0.0)] * (k.pixels * k.vectors)
        with self.each_product(block) as (nth, source, weights, first, end):
            taps, count = (self.slot["taps"], first, end), e.builder.sub(end, first)
            later = e.at(weights, e.multiply(count, self.pixel_bytes))
            target = e.at(self.products, e.multiply(nth, self.pixel_bytes))
            with self.tiles(chunk, source) as (pixels, targets, number):
                start = e.at(later, e.multiply(number, e.multiply(count, ahead)))
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
        e, bias = self.e, self.bias(block, at)
        for value, record in self.results(e.at(products, at), targets, self.pixel_bytes):
            target = e.at(self.sums, e.load_offset(record))
            e.store_vector(e.builder.fadd(value, bias), e.at(target, at))

    def results(
        self, products: Value, records: Value, step_bytes: int | Value
    ) -> Iterator[tuple[Value, Value]]:
        """Yield each output of a window, and its entry in a table; code of its own for each.

        Args:
            products: the first of them.
            records: the entry of the first output.
            step_bytes: from one product to the next.
        """
        e, k, size = self.e, self.winograd, self.e.vector_bytes
        matrix, n, m = k.filter.result_matrix, k.filter.products, k.outputs
        for j in range(n):
            column = e.at(products, e.multiply(step_bytes, j))
            read = [e.load_vector(column, e.multiply(step_bytes, n * i)) for i in range(n)]
            self._keep(self._combine(matrix, read), j * size, n * size)
        for a in range(m):
            held = [e.load_vector(self.half, (a * n + j) * size) for j in range(n)]
            for c, value in enumerate(self._combine(matrix, held)):
                yield value, e.at(records, 4 * (a * m + c))

    def _combine(self, matrix: np.ndarray, vectors: Sequence[Value]) -> Values:
        """Return the product of a matrix and a column of vectors; those not given are zero."""
        matrix, vectors = self._paired(matrix[:, : len(vectors)], vectors)
        return [self._weighted_sum(row, vectors) for row in matrix.tolist()]

    def _paired(self, matrix: np.ndarray, vectors: Sequence[Value]) -> tuple[np.ndarray, Values]:
        """Return the same with sum and difference of two vectors whose columns differ in signs."""
        b = self.e.builder
        for i, j in combinations(range(len(vectors)), 2):
            one, other = matrix[:, i], matrix[:, j]
            if np.array_equal(abs(one), abs(other)) and np.count_nonzero(one) > 2:
                rest = [k for k in range(len(vectors)) if k not in (i, j)]
                halves = (one + other) / 2, (one - other) / 2
                pair = b.fadd(vectors[i], vectors[j]), b.fsub(vectors[i], vectors[j])
                return np.column_stack([matrix[:, rest], *halves]), [
                    *(vectors[k] for k in rest),
                    *pair,
                ]
        return matrix, list(vectors)

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
