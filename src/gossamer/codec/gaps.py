"""Positions of nonzeros as gaps: the relative index of deep compression (Han et al. 2016, §2).

A gap is the number of zeros before a nonzero. With b bits, symbols 0…2^b − 2 are gaps, and the
symbol 2^b − 1 is a *filler*: that many zeros, and no nonzero yet. In the paper the filler is a
stored weight of value zero; here it stands in the stream of gaps alone, so that it costs no value
code. Gaps run over the tensor seen as a matrix (K, rest), by rows or by columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gossamer.errors import FormatError

WIDEST = 16
_TRIED = range(1, 13)


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
        """The symbol that stands for itself many zeros and no nonzero."""
        return self.alphabet - 1


def run_gaps(positions: np.ndarray, shape: tuple[int, ...], by_columns: bool) -> np.ndarray:
    """Return the number of zeros before each nonzero, int64, in the order of the run.

    Example:
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

    Example:
        >>> to_symbols(np.array([0, 7]), GapForm(bits=2)).tolist()
        [0, 3, 3, 1]
    """
    fillers = gaps // form.filler
    ends = np.cumsum(fillers + 1) - 1
    symbols = np.full(len(gaps) + int(fillers.sum()), form.filler, np.uint16)
    symbols[ends] = gaps % form.filler
    return symbols


def to_positions(
    symbols: np.ndarray, form: GapForm, shape: tuple[int, ...], nonzeros: int
) -> np.ndarray:
    """Return the flat row-major positions, increasing, uint32.

    Raises:
        FormatError: if there are not exactly `nonzeros` of them, one lies outside the tensor, or
            fillers follow the last one.

    Example:
        >>> to_positions(np.array([0, 3, 3, 1]), GapForm(bits=2), (10,), nonzeros=2).tolist()
        [0, 8]
    """
    real = symbols != form.filler
    if np.count_nonzero(real) != nonzeros or (len(real) and not real[-1]):
        raise FormatError(
            "wrong number of gaps", got=int(np.count_nonzero(real)), expected=nonzeros
        )
    run = np.cumsum(symbols + real.astype(np.int64), dtype=np.int64)[real] - 1
    if nonzeros and run[-1] >= prod(shape):
        raise FormatError(
            "a position lies outside the tensor", got=int(run[-1]), expected=f"< {prod(shape)}"
        )
    if form.by_columns:
        rows, columns = _matrix(shape)
        run = np.sort(run % rows * columns + run // rows)
    return run.astype(np.uint32)


def symbol_counts(gaps: np.ndarray, occurrences: np.ndarray, form: GapForm) -> np.ndarray:
    """Return how often each symbol would occur, from distinct gaps and how often each occurs."""
    counts = np.zeros(form.alphabet, np.int64)
    np.add.at(counts, gaps % form.filler, occurrences)
    counts[form.filler] = (gaps // form.filler * occurrences).sum()
    return counts


def forms(shape: tuple[int, ...]) -> list[GapForm]:
    """Return the forms that an encoder tries: widths of 1…12 bits, both orders of a matrix."""
    orders = (False, True) if min(_matrix(shape)) > 1 else (False,)
    return [GapForm(bits, by_columns) for by_columns in orders for bits in _TRIED]


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the tensor's size as a matrix (K, rest)."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)
