"""The weight of a linear layer in some form: what its nonzeros are, and a factor for each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.compile.kernels.weight_forms import Floats, Integers, SharedValues, WeightForm
from gossamer.compile.lowering.filters import Filters
from gossamer.graph.layouts import Codebook, Layout, Quantised

FEWEST_VALUES = 4
MOST_VALUES = 256
"""In a table: a code is a byte at most."""
FACTORS = (2.0**-40, 2.0**40)
"""Sizes of factors that sums may be multiplied by: with others, sums could leave the range of
float32 where those of scaled weights stay inside."""


@dataclass(frozen=True, eq=False)
class LinearRows:
    """A (K, F) weight: entry [k, f] is factors[k] times what it means in a form.

    Args:
        shape: (K, F).
        form: what entries mean.
        factors: (K,) float32.
        counts: (K,) nonzeros of each row.
        columns: (nonzeros,) of each, row by row, increasing within a row.
        entries: (nonzeros,) as the form holds them: float32 or uint8.
        zero: the entry that means zero; any other if there is none.
        table: float32 values that entries are looked up in.
    """

    shape: tuple[int, int]
    form: WeightForm
    factors: np.ndarray
    counts: np.ndarray
    columns: np.ndarray
    entries: np.ndarray
    zero: int = 0
    table: np.ndarray | None = None

    @property
    def dense(self) -> np.ndarray:
        """(K, F) entries."""
        dense = np.full(self.shape, self.zero, self.entries.dtype)
        dense[np.repeat(np.arange(len(self.counts)), self.counts), self.columns] = self.entries
        return dense


def float_rows(weight: Filters) -> LinearRows:
    """Return a weight as numbers."""
    factors, entries = np.ones(len(weight), np.float32), weight.entries
    return LinearRows(weight.shape, Floats(), factors, weight.counts, entries.taps, entries.values)


def coded_form(layout: Layout, scale: np.ndarray | None) -> WeightForm | None:
    """Return the form that holds a weight in a byte or less; None if there is none.

    Args:
        layout: of a (K, F) weight.
        scale: (K,) to multiply the rows by.
    """
    factors = _factors(layout, scale)
    sizes, has_empty = np.abs(factors[factors != 0]), not factors.all()
    if not ((sizes >= FACTORS[0]) & (sizes <= FACTORS[1])).all():
        return None
    if isinstance(layout, Quantised):
        return Integers(layout.bits)
    if not isinstance(layout, Codebook):
        return None
    count = int(used_values(layout).sum()) + (has_empty or layout.nonzeros < layout.size)
    return SharedValues(table_size(count)) if count <= MOST_VALUES else None


def coded_rows(layout: Layout, scale: np.ndarray | None, form: WeightForm) -> LinearRows:
    """Return a weight in its coded form; a row times zero is empty."""
    factors, shape = _factors(layout, scale), (layout.shape[0], layout.shape[1])
    if isinstance(layout, Quantised):
        positions, table, zero = np.flatnonzero(layout.integers), None, 0
        entries = layout.integers.ravel()[positions].view(np.uint8)
    else:
        assert isinstance(layout, Codebook)  # for the type checker: other layouts have no form
        used = used_values(layout)
        table, codes, positions = layout.centroids[used], layout.codes, layout.positions
        if not used.all():
            kept = used[codes]
            codes, positions = (np.cumsum(used) - 1)[codes[kept]], positions[kept]
        entries, zero = codes.astype(np.uint8), min(len(table), MOST_VALUES - 1)
    rows = positions // max(1, shape[1])
    columns = positions - rows * max(1, shape[1])
    if not factors.all():
        kept = factors[rows] != 0
        rows, columns, entries = rows[kept], columns[kept], entries[kept]
    counts = np.bincount(rows, minlength=shape[0])
    return LinearRows(shape, form, factors, counts, columns, entries, zero, table)


def table_size(values: int) -> int:
    """Return the entries of a table that holds some values: few sizes, so that kernels are few.

    A power of two, or one more: shared values and zero.

    Examples:
        >>> [table_size(n) for n in (1, 5, 9, 10, 16, 17, 33, 200, 256)]
        [4, 5, 9, 16, 16, 17, 33, 256, 256]
    """
    power = max(FEWEST_VALUES, 1 << (values - 1).bit_length())
    return values if 2 * (values - 1) == power > FEWEST_VALUES else power


def _factors(layout: Layout, scale: np.ndarray | None) -> np.ndarray:
    factors = np.ones(layout.shape[0], np.float32) if scale is None else scale
    return factors * layout.scales if isinstance(layout, Quantised) else factors


def used_values(layout: Codebook) -> np.ndarray:
    """Return (centroids,) bool: which values are entries that are not zero."""
    counts = np.bincount(layout.codes, minlength=len(layout.centroids))
    return (counts > 0) & (layout.centroids != 0)
