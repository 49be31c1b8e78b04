"""Convolutions whose kernels read weights as codes, a byte each: what those read."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from gossamer.compile.kernels.coded_conv import CodedConvKernel
from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.conv_streams import ConvRows, Streams
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.linear_rows import FACTORS, MOST_VALUES, table_size, used_values
from gossamer.graph.layouts import Codebook, Layout


@dataclass(frozen=True, eq=False)
class CodedRows:
    """A convolution's weight as few values, times a factor a row.

    Args:
        layout: of the weight.
        order: which entry of a filter each tap is.
        values: float32, increasing: those of the codebook, and zero if a code is left for it.
        factors: (K,) float32.
        scaled: the weight as kernels of numbers read it.
    """

    layout: Codebook
    order: np.ndarray
    values: np.ndarray
    factors: np.ndarray
    scaled: ConvRows

    @cached_property
    def rows(self) -> ConvRows:
        """The weight without factors. Sums are multiplied by those, biases with them."""
        is_used = self.factors != 0
        weight = Filters.of(self.layout, self.order, is_used.astype(np.float32))
        entries = weight.entries
        place = np.arange(len(entries.taps)) - np.repeat(entries.starts[:-1], weight.counts)
        # Before a row's first zero, each tap is the number of nonzeros before it.
        zeros = np.bincount(entries.rows, entries.taps == place, len(weight)).astype(np.int64)
        return replace(
            self.scaled,
            weight=weight,
            bias=(self.scaled.bias / self._nonzero_factors).astype(np.float32),
            zeros=np.minimum(zeros, weight.shape[1] - 1),
        )

    def kernel(self, plain: ConvKernel) -> CodedConvKernel | None:
        """Return the kernel of codes like one of numbers; None where nothing can fill its turns."""
        can_pad = 0 in self.values and self.scaled.counts.max() < self.scaled.weight.shape[1]
        if plain.shared or (plain.turn_weights > 1 and not can_pad):
            return None
        options = {field.name: getattr(plain, field.name) for field in fields(plain)}
        return CodedConvKernel(**options, values=table_size(len(self.values)))

    def table(self, kernel: CodedConvKernel, lanes: int) -> np.ndarray:
        """Return the values as a kernel reads them."""
        table = np.zeros(kernel.form.table_entries(lanes), np.float32)
        table[: len(self.values)] = self.values
        return table

    def streams(self, streams: Streams, plain: ConvKernel, kernel: CodedConvKernel) -> Streams:
        """Return streams of `rows`, written for a kernel of numbers, for its twin of codes."""
        turns = streams.stream.reshape(-1, plain.turn_bytes)
        weights = turns[:, : plain.weight_bytes].view(np.float32)
        size = kernel.offset_bytes * kernel.turn_offsets
        words = np.zeros((len(turns), kernel.turn_bytes), np.uint8)
        words[:, : kernel.turn_weights] = np.searchsorted(self.values, weights)
        words[:, kernel.weight_bytes :][:, :size] = turns[:, plain.weight_bytes :][:, :size]
        groups, order = streams.groups, np.argsort(self.scaled.outputs)
        rows = order[np.searchsorted(self.scaled.outputs[order], groups["outputs"])]
        factors = ("factors", np.float32, (kernel.rows,))
        records = np.zeros(len(groups), [*groups.dtype.descr, factors])
        for name in ("begin", "end"):
            records[name] = groups[name] // plain.turn_bytes * kernel.turn_bytes
        for name in ("outputs", "bias"):
            records[name] = groups[name]
        records["factors"] = self._nonzero_factors[rows]
        return replace(streams, groups=records, stream=words)

    @property
    def _nonzero_factors(self) -> np.ndarray:
        """(K,) factors; 1 for rows that are zero."""
        return np.where(self.factors != 0, self.factors, np.float32(1))


def coded_rows(
    layout: Layout, order: np.ndarray, scale: np.ndarray | None, scaled: ConvRows
) -> CodedRows | None:
    """Return a weight as codes, if its layout shares few values.

    Args:
        layout: of a (K, C/G, R, S) weight.
        order: which entry of a filter each tap is.
        scale: (K,) to multiply the rows by.
        scaled: the weight as kernels of numbers read it.
    """
    if not isinstance(layout, Codebook):
        return None
    factors = np.ones(layout.shape[0], np.float32) if scale is None else scale
    sizes = np.abs(factors[factors != 0])
    values = np.unique(layout.centroids[used_values(layout)])
    if len(values) > MOST_VALUES or not ((sizes >= FACTORS[0]) & (sizes <= FACTORS[1])).all():
        return None
    if len(values) < MOST_VALUES:
        values = np.unique(np.append(values, np.float32(0)))
    return CodedRows(layout, order, values, factors, scaled)
