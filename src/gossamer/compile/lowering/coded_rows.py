"""A weight matrix as codes: what each entry's few bits mean, and a factor for each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from gossamer.compile.kernels.coded_weights import CodedWeights, Integers, SharedValues
from gossamer.graph.layouts import Codebook, Layout, Quantised

FEWEST_VALUES = 4
MOST_VALUES = 256
"""In a table: a code is a byte at most."""
FACTORS = (2.0**-40, 2.0**40)
"""Sizes of factors that are taken out of sums: beyond them, sums might leave the range of float32
where factors taken into the weights would have kept them in it."""


@dataclass(frozen=True, eq=False)
class CodedRows:
    """A (K, F) weight: entry [k, f] is factors[k] times what its code means.

    Args:
        shape: (K, F).
        weights: what codes mean.
        table: values of the codes; empty if they need none.
        factors: (K,) float32.
        positions: (nonzeros,) flat indices, increasing.
        codes: (nonzeros,) uint8.
        zero: the code of zero; None if no code means that.
    """

    shape: tuple[int, int]
    weights: CodedWeights
    table: np.ndarray
    factors: np.ndarray
    positions: np.ndarray
    codes: np.ndarray
    zero: int | None

    @cached_property
    def counts(self) -> np.ndarray:
        """(K,) nonzeros of each row."""
        return np.bincount(self.positions // max(1, self.shape[1]), minlength=self.shape[0])

    @property
    def dense(self) -> np.ndarray:
        """(K, F) uint8 codes."""
        codes = np.full(prod(self.shape), self.zero or 0, np.uint8)
        codes[self.positions] = self.codes
        return codes.reshape(self.shape)


def coded_rows(layout: Layout, scale: np.ndarray | None) -> CodedRows | None:
    """Return a weight as codes of at most a byte, if its layout knows them.

    Args:
        layout: of a (K, …) weight.
        scale: (K,) to multiply the rows by.
    """
    shape = layout.shape[0], prod(layout.shape[1:])
    factors = np.ones(shape[0], np.float32) if scale is None else scale
    if isinstance(layout, Quantised):
        factors = factors * layout.scales
        positions = np.flatnonzero(layout.integers)
        codes = layout.integers.ravel()[positions].view(np.uint8)
        rows = CodedRows(
            shape, Integers(layout.bits), np.zeros(0, np.float32), factors, positions, codes, 0
        )
    elif isinstance(layout, Codebook):
        found = _from_codebook(layout, shape, factors)
        if found is None:
            return None
        rows = found
    else:
        return None
    sizes = np.abs(rows.factors)
    return rows if ((sizes >= FACTORS[0]) & (sizes <= FACTORS[1])).all() else None


def _from_codebook(
    layout: Codebook, shape: tuple[int, int], factors: np.ndarray
) -> CodedRows | None:
    is_used = np.bincount(layout.codes, minlength=len(layout.centroids)) > 0
    is_used &= layout.centroids != 0
    values, codes, positions = layout.centroids[is_used], layout.codes, layout.positions
    if not is_used.all():
        kept = is_used[codes]
        codes, positions = (np.cumsum(is_used) - 1)[codes[kept]], positions[kept]
    zero = None
    if len(positions) < layout.size:
        zero = len(values)
        values = np.append(values, np.float32(0))
    if len(values) > MOST_VALUES:
        return None
    weights = SharedValues(table_size(len(values)))
    return CodedRows(shape, weights, values, factors, positions, codes.astype(np.uint8), zero)


def table_size(values: int) -> int:
    """Return the entries of a table that holds some values: few sizes, so that kernels are few.

    A power of two, or one more: 2ⁿ shared values and zero.

    Examples:
        >>> [table_size(n) for n in (1, 5, 9, 16, 17, 18, 33, 200, 256)]
        [4, 8, 9, 16, 17, 32, 33, 256, 256]
    """
    power = max(FEWEST_VALUES, 1 << (values - 1).bit_length())
    return values if values - 1 == power // 2 > FEWEST_VALUES // 2 else power
