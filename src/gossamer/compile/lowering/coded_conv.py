"""Convolutions whose kernels read weights as codes, a byte each: what those read."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from gossamer.compile.kernels.coded_conv import CodedConvKernel
from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.conv_streams import ConvRows, Streams
from gossamer.compile.lowering.filters import Filters
from gossamer.compile.lowering.linear_rows import FACTORS, MOST_VALUES, used_values
from gossamer.graph.layouts import Codebook, Layout


@dataclass(frozen=True, eq=False)
class CodedRows:
    """A convolution's weight as few values, times a factor a row.

    Args:
        layout: of the weight.
        order: which entry of a filter each tap is.
        values: float32, increasing: those of the codebook, and zero if a code is left for it.
        factors: (K,) float32, not zero.
        scaled: the weight as kernels of numbers read it.
    """

    layout: Codebook
    order: np.ndarray
    values: np.ndarray
    factors: np.ndarray
    scaled: ConvRows

    @cached_property
    def rows(self) -> ConvRows:
        """The weight without factors; sums are multiplied by those, biases too."""
        weight = Filters.of(self.layout, self.order, (self.factors != 0).astype(np.float32))
        entries, width = weight.entries, weight.shape[1]
        place = np.arange(len(entries.taps)) - np.repeat(entries.starts[:-1], weight.counts)
        # Before a row's first zero, each tap is the number of nonzeros before it.
        zeros = np.bincount(entries.rows, entries.taps == place, len(weight)).astype(np.int64)
        with np.errstate(divide="ignore", invalid="ignore"):
            bias = np.where(self.factors != 0, self.scaled.bias / self.factors, self.scaled.bias)
        zeros = np.minimum(zeros, width - 1)
        return replace(self.scaled, weight=weight, bias=bias.astype(np.float32), zeros=zeros)

    def suits(self, kernel: ConvKernel) -> bool:
        """Whether there is a kernel of codes like one of numbers: what pads its turns is a zero."""
        pads = kernel.rows * kernel.unroll > 1
        has_zeros = 0 in self.values and self.scaled.counts.max(initial=0) < self.layout.size // len(
            self.factors
        )
        return not kernel.shared and (has_zeros or not pads)

    def streams(self, streams: Streams, kernel: ConvKernel) -> Streams:
        """Return the streams of `rows` for a kernel of numbers as its twin of codes reads them."""
        twin = kernel_of_codes(kernel)
        turns = streams.stream.reshape(-1, kernel.turn_bytes)
        weights = turns[:, : kernel.weight_bytes].view(np.float32)
        words = np.zeros((len(turns), twin.turn_bytes), np.uint8)
        words[:, : kernel.turn_weights] = np.searchsorted(self.values, weights)
        offset_bytes = kernel.offset_bytes * kernel.turn_offsets
        offsets = turns[:, kernel.weight_bytes :][:, :offset_bytes]
        words[:, twin.weight_bytes :][:, :offset_bytes] = offsets
        groups = streams.groups
        of_output = np.argsort(self.scaled.outputs)
        row = of_output[
            np.searchsorted(self.scaled.outputs, groups["outputs"], sorter=of_output)
        ]
        records = np.zeros(
            len(groups), [*groups.dtype.descr, ("factors", np.float32, (kernel.rows,))]
        )
        for name in groups.dtype.names or ():
            records[name] = groups[name]
        records["begin"] = groups["begin"] // kernel.turn_bytes * twin.turn_bytes
        records["end"] = groups["end"] // kernel.turn_bytes * twin.turn_bytes
        records["factors"] = np.where(self.factors != 0, self.factors, 1)[row]
        return replace(streams, groups=records, stream=words.ravel())


def coded_rows(
    layout: Layout, order: np.ndarray, scale: np.ndarray | None, scaled: ConvRows
) -> CodedRows | None:
    """Return a weight as codes, if its layout shares few values."""
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


def kernel_of_codes(kernel: ConvKernel) -> CodedConvKernel:
    """Return the kernel that reads codes where this one reads numbers."""
    return CodedConvKernel(**{field.name: getattr(kernel, field.name) for field in fields(kernel)})
