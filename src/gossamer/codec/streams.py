"""Layout ↔ streams: what is written for each form of a weight tensor, as one table.

| layout   | section                                                              |
|----------|----------------------------------------------------------------------|
| dense    | floats of all its tensors, one tensor after another                  |
| sparse   | number of stored entries; positions; floats                          |
| codebook | number of centroids, of stored entries; floats; positions; codes     |
| quantised | bits; number of stored entries; scales; positions; codes            |
| mixed    | any tensors, by the mixing coder                                     |

*Floats* are four streams, one for each byte of a float32, lowest first: the bytes with sign and
exponent compress, the others mostly do not. *Positions* are a byte (width of gaps, +128 if by
columns), the number of fillers, and the stream of gaps; absent where nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from gossamer.codec.coder.coder import LARGEST_ALPHABET
from gossamer.codec.cursor import uvarint
from gossamer.codec.gaps import (
    WIDEST,
    GapForm,
    has_columns,
    run_gaps,
    symbol_counts,
    to_positions,
    to_symbols,
    widths,
)
from gossamer.codec.mixing.stream import MixedStream
from gossamer.codec.mixing.tensor import code_tensor
from gossamer.codec.section import SectionReader, smallest_size, write_stream
from gossamer.errors import FormatError
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse

Shape = tuple[int, ...]
_BY_COLUMNS = 128
_MOST_BITS = 8
# Zeros of a quantised tensor are not in the file, but a byte each in memory.
_ENTRIES_PER_SYMBOL = 8


def write_floats(values: np.ndarray) -> bytes:
    """Return float32 values as four streams, one a byte, lowest byte first."""
    planes = values.astype("<f4", copy=False).ravel().view(np.uint8).reshape(-1, 4)
    return b"".join(write_stream(plane, 256) for plane in planes.T)


def read_floats(reader: SectionReader, count: int, label: str) -> np.ndarray:
    """Return `count` float32 values, bit for bit as they were."""
    planes = [reader.stream(f"{label} byte {index}", count, 256) for index in range(4)]
    return (
        np.stack(planes, axis=1).astype(np.uint8).view("<f4").ravel().astype(np.float32, copy=False)
    )


def write_positions(positions: np.ndarray, shape: Shape) -> bytes:
    """Return the positions in the form that takes the fewest bytes; nothing for none."""
    if not len(positions):
        return b""
    form = choose_form(positions, shape)
    symbols = to_symbols(run_gaps(positions, shape, form.by_columns), form)
    flags = form.bits + _BY_COLUMNS * form.by_columns
    return (
        bytes([flags])
        + uvarint(len(symbols) - len(positions))
        + write_stream(symbols, form.alphabet)
    )


def choose_form(positions: np.ndarray, shape: Shape) -> GapForm:
    """Return the width and order of gaps with which the positions take the fewest bytes."""
    sizes: dict[GapForm, int] = {}
    for by_columns in (False, True) if has_columns(shape) else (False,):
        gaps, occurrences = np.unique(run_gaps(positions, shape, by_columns), return_counts=True)
        for bits in widths(int(gaps[-1])):
            form = GapForm(bits, by_columns)
            sizes[form] = smallest_size(symbol_counts(gaps, occurrences, form))
    return min(sizes, key=lambda form: sizes[form])


def read_positions(reader: SectionReader, shape: Shape, stored: int) -> np.ndarray:
    """Return `stored` flat positions, uint32, increasing."""
    if stored > prod(shape):
        raise FormatError("more positions than entries", got=stored, expected=f"≤ {prod(shape)}")
    if not stored:
        return np.zeros(0, np.uint32)
    by_columns, bits = divmod(reader.byte(), _BY_COLUMNS)
    if not 1 <= bits <= WIDEST:
        raise FormatError("wrong width of gaps", got=bits, expected=f"1…{WIDEST}")
    form = GapForm(bits, bool(by_columns))
    fillers = reader.uvarint()
    if fillers * form.filler >= prod(shape):
        raise FormatError("more fillers than entries", got=fillers)
    return to_positions(reader.stream("gaps", stored + fillers, form.alphabet), form, shape, stored)


def _write_dense(layouts: Sequence[Any]) -> bytes:
    return write_floats(np.concatenate([layout.values.ravel() for layout in layouts]))


def _read_dense(reader: SectionReader, shapes: Sequence[Shape]) -> list[Layout]:
    sizes = [prod(shape) for shape in shapes]
    values = read_floats(reader, sum(sizes), "value")
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return [Dense(part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True)]


def _write_sparse(layouts: Sequence[Any]) -> bytes:
    (layout,) = layouts
    return (
        uvarint(len(layout.positions))
        + write_positions(layout.positions, layout.shape)
        + write_floats(layout.values)
    )


def _read_sparse(reader: SectionReader, shapes: Sequence[Shape]) -> list[Layout]:
    (shape,) = shapes
    stored = reader.uvarint()
    positions = read_positions(reader, shape, stored)
    return [Sparse(shape, positions, read_floats(reader, stored, "value"))]


def _write_codebook(layouts: Sequence[Any]) -> bytes:
    (layout,) = layouts
    entries = len(layout.centroids)
    return b"".join(
        (
            uvarint(entries),
            uvarint(len(layout.positions)),
            write_floats(layout.centroids),
            write_positions(layout.positions, layout.shape),
            write_stream(layout.codes, entries),
        )
    )


def _read_codebook(reader: SectionReader, shapes: Sequence[Shape]) -> list[Layout]:
    (shape,) = shapes
    entries = reader.uvarint()
    if entries > LARGEST_ALPHABET:
        raise FormatError("too many centroids", got=entries, expected=f"≤ {LARGEST_ALPHABET}")
    stored = reader.uvarint()
    centroids = read_floats(reader, entries, "centroid")
    positions = read_positions(reader, shape, stored)
    return [Codebook(shape, positions, reader.stream("codes", stored, entries), centroids)]


def _write_quantised(layouts: Sequence[Any]) -> bytes:
    """Return all integers or those that are not zero, whichever takes fewer bytes."""
    (layout,) = layouts
    integers = layout.integers.ravel()
    front = bytes([layout.bits])
    kept = (np.flatnonzero(integers), np.arange(len(integers)))
    forms = [_write_integers(integers, positions, layout) for positions in kept]
    return front + write_floats(layout.scales) + min(forms, key=len)


def _write_integers(integers: np.ndarray, positions: np.ndarray, layout: Any) -> bytes:
    codes = integers[positions].astype(np.int64) + 2 ** (layout.bits - 1)
    return (
        uvarint(len(positions))
        + write_positions(positions, layout.shape)
        + write_stream(codes, 2**layout.bits)
    )


def _read_quantised(reader: SectionReader, shapes: Sequence[Shape]) -> list[Layout]:
    (shape,) = shapes
    bits = reader.byte()
    if not shape or not 1 <= bits <= _MOST_BITS:
        raise FormatError("wrong number of bits or axes", got=bits, expected=f"1…{_MOST_BITS}")
    scales = read_floats(reader, shape[0], "scale")
    stored = reader.uvarint()
    positions = read_positions(reader, shape, stored)
    codes = reader.stream("codes", stored, 2**bits)
    reader.charge(prod(shape) // _ENTRIES_PER_SYMBOL)
    signed = (codes.astype(np.int16) - 2 ** (bits - 1)).astype(np.int8)
    integers = signed if stored == prod(shape) else np.zeros(prod(shape), np.int8)
    if stored < prod(shape):
        integers[positions] = signed
    integers.flags.writeable = False
    return [Quantised(integers.reshape(shape), scales)]


def write_mixed(layouts: Sequence[Any]) -> tuple[bytes, int]:
    """Return any tensors by the mixing coder, and how many symbols reading them is charged.

    The encoder tries whether layers are alike.
    """
    tried: list[bytes] = []
    charges: list[int] = []
    for steady in (False, True):
        stream, charges = MixedStream(steady=steady), []
        for layout in layouts:
            code_tensor(stream, layout.shape, layout, charges.append)
        tried.append(stream.finish())
    return min(tried, key=len), sum(charges)


def _read_mixed(reader: SectionReader, shapes: Sequence[Shape]) -> list[Layout]:
    size_bytes = reader.left
    stream = MixedStream(reader.take(size_bytes), version=reader.version)
    layouts: list[Layout] = []
    ends = [0.0]
    for shape in shapes:
        layouts.append(code_tensor(stream, shape, None, reader.charge))
        ends.append(stream.ideal_bits)
    stream.finish()
    reader.add_parts("mixed", layouts, np.diff(ends).tolist(), size_bytes)
    return layouts


@dataclass(frozen=True)
class SectionForm:
    """How the tensors of a section are written and read.

    Args:
        write: layouts → bytes.
        read: reader, shapes → layouts; checks every count before it allocates.
        shared: whether a section may hold several tensors.
        since: the first version of the format that has it.
    """

    write: Callable[[Sequence[Any]], bytes]
    read: Callable[[SectionReader, Sequence[Shape]], list[Layout]]
    shared: bool = False
    since: int = 1


FORMS: Mapping[str, SectionForm] = {
    "dense": SectionForm(_write_dense, _read_dense, shared=True),
    "sparse": SectionForm(_write_sparse, _read_sparse),
    "codebook": SectionForm(_write_codebook, _read_codebook),
    "quantised": SectionForm(_write_quantised, _read_quantised, since=2),
    "mixed": SectionForm(
        lambda layouts: write_mixed(layouts)[0], _read_mixed, shared=True, since=3
    ),
}
