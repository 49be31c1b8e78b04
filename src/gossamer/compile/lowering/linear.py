"""Linear layers on flat vectors: every candidate kernel with its streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gossamer.compile.kernels.kernel import looks_up
from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.kernels.packed_linear import PackedLinearKernel
from gossamer.compile.kernels.sparse_linear import SparseLinearKernel
from gossamer.compile.kernels.weight_forms import Floats, SharedValues, WeightForm
from gossamer.compile.lowering.code_linear import lower_code_linear
from gossamer.compile.lowering.context import Lowering
from gossamer.compile.lowering.conv_candidates import SPARSE_BELOW
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.linear_rows import coded_form, coded_rows, float_rows
from gossamer.compile.lowering.linear_streams import (
    packed_streams,
    shared_streams,
    sparse_streams,
)
from gossamer.compile.step import Argument, Choice, Step, shares
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Conv2d, Linear
from gossamer.jit.target import Target

VECTORS = 4
"""Of rows at most in a block that share their inputs: one sum alone waits for itself each turn."""
DENSE_ABOVE = 0.15
"""Density above which dense kernels are candidates beside sparse ones."""
LARGEST_NARROW = 2**16
"""Columns of a stream that is not wide."""
MOST_LOOKED_UP = 16
"""Vectors of a table at most, where each nonzero also waits for its input."""


def lower_linear(lowering: Lowering, node: Node, op: Linear | Conv2d) -> None:
    """Add the step of a layer, or of a convolution of one pixel, its kernels as choices."""
    rounding = lowering.code_plan.flat_rounding(node.inputs[0])
    if rounding is not None and lowering.code_plan.takes_flat_codes(node):
        assert isinstance(op, Linear)  # for the type checker: no convolution reads flat codes
        lower_code_linear(lowering, node, op, rounding)
        return
    graph, lanes = lowering.graph, lowering.target.lanes
    layout, scale = graph.weights[node.weights["weight"]], None
    if "scale" in node.weights:
        scale = graph.weights[node.weights["scale"]].to_dense()
    biases = np.zeros(layout.shape[0] + VECTORS * lanes, np.float32)
    if "bias" in node.weights:
        biases[: layout.shape[0]] = graph.weights[node.weights["bias"]].to_dense()
    source, target = lowering.flat(node.inputs[0]), lowering.new_flat(node.name, VECTORS)
    arguments: dict[str, Argument] = {"input": source, "output": target, "biases": biases}
    layer = _Layer(layout, scale, op.activation, lowering.target, lowering.threads, arguments)
    choices = tuple(layer.choices(only_codes=lowering.least_memory)) or tuple(layer.choices())
    macs = op.macs(lowering.shapes[node.name], graph.weight_shapes(node))
    effective_macs = round(macs * layout.density)
    numbers = lowering.numbers(*node.inputs, node.name)
    lowering.steps.append(Step(node.name, choices, (source, target), macs, effective_macs, numbers))


@dataclass(frozen=True, eq=False)
class _Layer:
    """A linear layer.

    Args:
        layout: of its (K, F) weight.
        scale: (K,) that the rows are multiplied by, or None.
        activation: of its results.
        target: for which code is made.
        threads: that share its blocks of rows.
        arguments: of all kernels.
    """

    layout: Layout
    scale: np.ndarray | None
    activation: str
    target: Target
    threads: int
    arguments: dict[str, Argument]

    def choices(self, *, only_codes: bool = False) -> Iterator[Choice]:
        """Yield the ways worth trying, the likeliest first: those that read the fewest bytes."""
        is_sparse = self.layout.density < SPARSE_BELOW
        is_dense = self.layout.density > DENSE_ABOVE or not is_sparse
        form, lanes = coded_form(self.layout, self.scale), self.target.lanes
        if form is not None and is_sparse and self._looks_up(form, MOST_LOOKED_UP):
            yield self._sparse(form)
        most = MOST_LOOKED_UP if only_codes else lanes // 2
        if form is not None and is_dense and self._looks_up(form, most):
            yield self._packed(form)
        if is_sparse and not only_codes:
            yield self._sparse(Floats())
        if is_dense and not only_codes:
            yield self._dense()

    def _looks_up(self, form: WeightForm, most: int) -> bool:
        """Whether the target makes numbers of a form from at most so many vectors of a table."""
        if not isinstance(form, SharedValues):
            return True
        return looks_up(self.target) and form.count // self.target.lanes <= most

    def _sparse(self, form: WeightForm) -> Choice:
        kernel = SparseLinearKernel(form, self.activation, self.layout.shape[1] > LARGEST_NARROW)

        def build() -> dict[str, Argument]:
            if isinstance(form, Floats):
                rows = float_rows(self._weight)
            else:
                rows = coded_rows(self.layout, self.scale, form)
            return self._shared_out(1, sparse_streams(rows, kernel, self.target.lanes))

        return Choice(kernel, build, reads=self.layout.nonzeros)

    def _packed(self, form: WeightForm) -> Choice:
        words, tail = divmod(self.layout.shape[1], form.per_word)
        kernel = PackedLinearKernel(form, tail, self.activation, self._vectors)

        def build() -> dict[str, Argument]:
            rows = coded_rows(self.layout, self.scale, form)
            streams = packed_streams(rows, kernel, self.target.lanes)
            return self._shared_out(kernel.vectors, streams)

        return Choice(kernel, build, reads=self.layout.shape[0] * (words + (tail > 0)))

    def _dense(self) -> Choice:
        kernel = LinearKernel(self.activation, self._vectors)

        def build() -> dict[str, Argument]:
            streams = shared_streams(self._weight, kernel.vectors * self.target.lanes)
            return self._shared_out(kernel.vectors, streams)

        return Choice(kernel, build, reads=self.layout.nonzeros)

    @property
    def _vectors(self) -> int:
        """Vectors of rows in a block of dense kernels: few rows of zeros at the end."""
        vectors = max(1, -(-self.layout.shape[0] // self.target.lanes))
        return -(-vectors // -(-vectors // VECTORS))

    @property
    def _weight(self) -> Filters:
        return Filters.of(self.layout, np.arange(self.layout.shape[1]), self.scale)

    def _shared_out(self, vectors: int, streams: dict[str, Argument]) -> dict[str, Argument]:
        """Return the arguments of a kernel whose blocks have so many vectors of rows."""
        blocks = -(-self.layout.shape[0] // (vectors * self.target.lanes))
        return {**self.arguments, **streams, "block_shares": shares(blocks, self.threads)}
