"""Positions of stored entries as gaps: the relative index of deep compression.

A gap is the number of entries skipped before a stored one. With b bits, symbols 0…2^b − 2 are
gaps, and the symbol 2^b − 1 is a *filler*: that many skipped, and nothing stored yet. In the paper
(Han et al. 2016, §2) the filler is a stored weight of value zero; here it stands in the stream of
gaps alone, so that it costs no value code. Gaps run over the tensor seen as a matrix (K, rest), by
rows or by columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gossamer.errors import FormatError

WIDEST = 16
_WIDEST_TRIED = 12


@dataclass(frozen=True)
class GapForm:
    """How positions are written.

    Args:
        bits: b, 1…16.
        by_columns: whether the matrix (K, rest) is run through column after column.
    """

    bits: int
    by_columns: bool = False

    @property
    def alphabet(self) -> int:
        """Number of symbols, 2^b."""
        return 1 << self.bits

    @property
    def filler(self) -> int:
        """The symbol that skips as many entries as it says, and stores nothing."""
        return self.alphabet - 1


def run_gaps(positions: np.ndarray, shape: tuple[int, ...], by_columns: bool) -> np.ndarray:
    """Return the number of entries skipped before each stored one, int64, in the order of the run.

    Examples:
        >>> run_gaps(np.array([1, 2]), (2, 2), by_columns=True).tolist()
        [1, 0]
    """
    run = positions.astype(np.int64)
    if by_columns:
        rows, columns = _matrix(shape)
        run = np.sort(run % columns * rows + run // columns)
    return np.diff(run, prepend=-1) - 1


def to_symbols(gaps: np.ndarray, form: GapForm) -> np.ndarray:
    """Return the gaps as symbols, with the fillers that the width needs.

    Examples:
        >>> to_symbols(np.array([0, 7]), GapForm(bits=2)).tolist()
        [0, 3, 3, 1]
    """
    fillers = gaps // form.filler
    ends = np.cumsum(fillers + 1) - 1
    symbols = np.full(len(gaps) + int(fillers.sum()), form.filler, np.uint16)
    symbols[ends] = gaps % form.filler
    return symbols


def to_positions(
    symbols: np.ndarray, form: GapForm, shape: tuple[int, ...], stored: int
) -> np.ndarray:
    """Return the flat row-major positions, increasing, uint32.

    Raises:
        FormatError: if there are not exactly `stored` of them, one lies outside the tensor, or
            fillers follow the last one.

    Examples:
        >>> to_positions(np.array([0, 3, 3, 1]), GapForm(bits=2), (10,), stored=2).tolist()
        [0, 8]
    """
    real = symbols != form.filler
    if np.count_nonzero(real) != stored or (len(real) and not real[-1]):
        raise FormatError("wrong number of gaps", got=int(np.count_nonzero(real)), expected=stored)
    ends = np.add(symbols, real, dtype=np.int64)  # where each gap ends, once summed up
    np.cumsum(ends, out=ends)
    if stored and ends[-1] > prod(shape):
        raise FormatError(
            "a position lies outside the tensor", got=int(ends[-1]) - 1, expected=f"< {prod(shape)}"
        )
    # By their places, not by `real`: a processor does not guess which symbols are fillers.
    positions = ends.take(np.flatnonzero(real))
    positions -= 1
    positions = positions.astype(np.uint32)
    if form.by_columns:
        rows, columns = (np.uint32(size) for size in _matrix(shape))
        column = positions // rows
        positions = np.sort((positions - column * rows) * columns + column)
    return positions


def symbol_counts(gaps: np.ndarray, occurrences: np.ndarray, form: GapForm) -> np.ndarray:
    """Return how often each symbol would occur, from distinct gaps and how often each occurs."""
    counts = np.zeros(form.alphabet, np.int64)
    np.add.at(counts, gaps % form.filler, occurrences)
    counts[form.filler] = (gaps // form.filler * occurrences).sum()
    return counts


def widths(largest_gap: int) -> range:
    """Return the widths in bits that are worth trying: up to 12, or to the first without fillers.

    Examples:
        >>> list(widths(6))
        [1, 2, 3]
    """
    return range(1, min((largest_gap + 1).bit_length(), _WIDEST_TRIED) + 1)


def has_columns(shape: tuple[int, ...]) -> bool:
    """Return whether running by columns differs from running by rows."""
    return min(_matrix(shape)) > 1


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the tensor's size as a matrix (K, rest)."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)
