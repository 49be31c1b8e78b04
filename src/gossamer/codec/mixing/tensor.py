"""Layout ↔ the mixing coder: what is coded for each form of a tensor, for both directions.

Each function is given a layout to write it, or None to read one of the stated shape, and returns
the layout. What will take memory is charged before it is allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from gossamer.codec.mixing.grid import grid_of, grid_values
from gossamer.codec.mixing.levels import LONGEST
from gossamer.codec.mixing.stream import LARGEST_LEVEL, MixedStream, as_filters
from gossamer.codec.mixing.trend import LIMIT, UNIT
from gossamer.codec.parity import is_told
from gossamer.errors import FormatError
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse

Shape = tuple[int, ...]
Charge = Callable[[int], None]
KINDS = ("dense", "sparse", "codebook", "quantised")
# Contexts of numbers.
_KIND, _FORM, _OFFSET, _LONGEST, _ENTRIES, _GRID = range(6)
_FORMS = ("centroids", "grid", "chained grid")
_ENTRIES_PER_SYMBOL = 2


def code_tensor(stream: MixedStream, shape: Shape, layout: Layout | None, charge: Charge) -> Layout:
    """Write a tensor, or read and return it."""
    number = stream.number(_KIND, KINDS.index(layout.kind) if layout else 0)
    coders = (_code_dense, _code_sparse, _code_codebook, _code_quantised)
    if number >= len(coders):
        raise FormatError("unknown layout", got=number, expected=KINDS)
    return coders[number](stream, shape, layout, charge)


def fits(layout: Layout) -> bool:
    """Return whether the mixing coder can hold a layout."""
    return not isinstance(layout, Codebook) or len(layout.centroids) < LARGEST_LEVEL


def _code_dense(stream: MixedStream, shape: Shape, layout: Any, charge: Charge) -> Layout:
    charge(prod(shape))
    table = layout and few_values(layout.values)
    if stream.number(_FORM, 1 if table else 0):
        found = _code_codebook(stream, shape, table, charge)
        return Dense(found.to_dense())
    values = layout.values if layout else np.zeros(prod(shape), np.float32)
    return Dense(stream.floats(values, stream.totals).reshape(shape))


def few_values(values: np.ndarray) -> Codebook | None:
    """Return a tensor as a codebook that means the same bits, if that is worth it.

    Examples:
        >>> few_values(np.float32([0, 1, 1, 1, 0, -1, 1, 1])).centroids.tolist()
        [-1.0, 1.0]
    """
    bits = np.ascontiguousarray(values).ravel().view(np.uint32)
    positions = np.flatnonzero(bits)
    distinct, codes = np.unique(bits[positions], return_inverse=True)
    if 4 * len(distinct) > len(bits) or len(distinct) >= LARGEST_LEVEL:
        return None
    order = np.argsort(np.where(distinct >> 31, ~distinct, distinct | 1 << 31), kind="stable")
    rank = np.argsort(order, kind="stable")
    return Codebook(values.shape, positions, rank[codes], distinct[order].view(np.float32))


def _code_sparse(stream: MixedStream, shape: Shape, layout: Any, charge: Charge) -> Layout:
    kept = None
    if layout:
        kept = np.zeros(prod(shape), np.int16)
        kept[layout.positions] = 1
    levels = _code_levels(stream, shape, kept, charge)
    if len(levels) and (levels.min() < 0 or levels.max() > 1):
        raise FormatError("a kept entry is marked by another level than 1")
    positions = np.flatnonzero(levels)
    charge(len(positions))
    values = layout.values if layout else np.zeros(len(positions), np.float32)
    return Sparse(shape, positions, stream.floats(values))


def _code_codebook(stream: MixedStream, shape: Shape, layout: Any, charge: Charge) -> Layout:
    """Levels are multiples of a step if the centroids are, and all in use; else their ranks."""
    grid = grid_of(layout.centroids) if layout and _all_used(layout) else None
    given = _spread(layout, grid[1] if grid else None)
    form = 0 if given is None else 1 + (stream.chains and _is_chained(given, shape))
    form = stream.number(_GRID, form)
    if form > 1 + stream.chains:
        raise FormatError("unknown form of a codebook", got=form, expected=_FORMS)
    if form:
        step = stream.floats(np.array([grid[0] if grid else 0], np.float32))[0]
        code = _code_chained if form > 1 else _code_levels
        levels = code(stream, shape, given, charge)
        stream.totals = _totals(levels, shape, step)
        ranks = np.unique(levels[levels != 0]).astype(np.int64)
        return _codebook(shape, levels, ranks, grid_values(step, ranks), charge)
    entries = stream.number(_ENTRIES, len(layout.centroids) if layout else 0)
    if entries >= LARGEST_LEVEL:
        raise FormatError("too many centroids", got=entries, expected=f"< {LARGEST_LEVEL}")
    charge(entries)
    centroids = stream.floats(layout.centroids if layout else np.zeros(entries, np.float32))
    ranks = np.arange(entries) - np.count_nonzero(np.signbit(centroids))
    ranks += ranks >= 0
    levels = _code_levels(stream, shape, _spread(layout, ranks), charge)
    return _codebook(shape, levels, ranks, centroids, charge)


def _is_chained(levels: np.ndarray, shape: Shape) -> bool:
    """Return whether the lowest bits can be left out, and not only because all are even."""
    return bool((levels & 1).any()) and is_told(levels.reshape(as_filters(shape)[0], -1))


def _all_used(layout: Codebook) -> bool:
    counts = np.bincount(layout.codes, minlength=len(layout.centroids))
    return len(counts) > 0 and bool(counts.all())


def _spread(layout: Any, ranks: np.ndarray | None) -> np.ndarray | None:
    """Return the level of every entry, zero where none is stored."""
    if not layout or ranks is None:
        return None
    levels = np.zeros(layout.size, np.int16)
    levels[layout.positions] = ranks[layout.codes]
    return levels


def _codebook(
    shape: Shape, levels: np.ndarray, ranks: np.ndarray, centroids: np.ndarray, charge: Charge
) -> Layout:
    """Return the layout in which a level stands for the centroid of the same rank."""
    positions = np.flatnonzero(levels)
    charge(len(positions))
    lowest = int(ranks.min(initial=0))
    code_of = np.full(int(ranks.max(initial=0)) - lowest + 1, -1)
    code_of[ranks - lowest] = np.arange(len(ranks))
    kept = levels[positions].astype(np.int64) - lowest
    if len(kept) and (kept.min() < 0 or kept.max() >= len(code_of) or code_of[kept].min() < 0):
        raise FormatError("a level has no centroid")
    return Codebook(shape, positions, code_of[kept], centroids)


def _code_quantised(stream: MixedStream, shape: Shape, layout: Any, charge: Charge) -> Layout:
    if not shape:
        raise FormatError("a quantised tensor has at least one axis")
    charge(shape[0])
    scales = stream.floats(layout.scales if layout else np.zeros(shape[0], np.float32))
    integers = layout.integers.ravel().astype(np.int16) if layout else None
    levels = _code_levels(stream, shape, integers, charge)
    if len(levels) and (levels.min() < -128 or levels.max() > 127):
        raise FormatError("an integer does not fit in a byte")
    stream.totals = _totals(levels, shape, scales)
    return Quantised(levels.astype(np.int8).reshape(shape), scales)


def _totals(levels: np.ndarray, shape: Shape, steps: Any) -> np.ndarray | None:
    """Return the sum of each filter's weights, as a trend has it."""
    if not shape or not levels.size:
        return None
    sums = levels.reshape(shape[0], -1).sum(axis=1, dtype=np.int64)
    with np.errstate(all="ignore"):
        places = np.nan_to_num(sums * np.asarray(steps, np.float64) * 2.0**UNIT)
    return np.clip(np.floor(places), -LIMIT, LIMIT).astype(np.int64)


def _code_levels(
    stream: MixedStream, shape: Shape, levels: np.ndarray | None, charge: Charge
) -> np.ndarray:
    """Code integers, (size,) int16; magnitudes are counted from the smallest one that occurs."""
    _charge_levels(shape, charge)
    values = np.zeros(prod(shape), np.int16) if levels is None else levels
    magnitudes = np.abs(values[values != 0].astype(np.int32))
    smallest = int(magnitudes.min()) if len(magnitudes) else 1
    offset = stream.number(_OFFSET, smallest - 1)
    largest = int(magnitudes.max()) - offset if len(magnitudes) else 0
    longest = stream.number(_LONGEST, largest.bit_length())
    if offset + 2**longest > 2 * LARGEST_LEVEL or longest > LONGEST:
        raise FormatError("levels are too large", got=(offset, longest))
    if not longest:
        return np.zeros(prod(shape), np.int16)
    reduced = values - np.sign(values) * np.int16(offset)
    coded = stream.levels(reduced.reshape(shape), longest).ravel()
    whole = coded.astype(np.int32) + np.sign(coded) * offset
    if offset and np.abs(whole).max() > LARGEST_LEVEL:
        raise FormatError("a level is too large", got=int(np.abs(whole).max()))
    return whole.astype(np.int16)


def _code_chained(
    stream: MixedStream, shape: Shape, levels: np.ndarray | None, charge: Charge
) -> np.ndarray:
    """Code integers, (size,) int16, without their lowest bits: see `gossamer.codec.parity`."""
    _charge_levels(shape, charge)
    values = np.zeros(prod(shape), np.int16) if levels is None else levels
    halves = np.abs(values.astype(np.int32)) >> 1
    longest = stream.number(_LONGEST, max(int(halves.max(initial=0)).bit_length(), 1))
    if not 1 <= longest <= LONGEST - 1:
        raise FormatError("levels are too large", got=longest, expected=f"1…{LONGEST - 1} bits")
    return stream.levels(values.reshape(shape), longest, chained=True).ravel()


def _charge_levels(shape: Shape, charge: Charge) -> None:
    _, channels, taps, _ = as_filters(shape)
    charge(prod(shape) // _ENTRIES_PER_SYMBOL + channels * (1 + 2 * taps) + 20 * taps)
