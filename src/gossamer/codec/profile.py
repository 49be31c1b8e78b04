"""What a file is made for: to be small, or to be read fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gossamer.codec.mixing.tensor import fits
from gossamer.codec.progress import Progress, silent, told
from gossamer.codec.streams import FORMS, write_mixed
from gossamer.graph import Layout

# Dense tensors up to this size (biases, scales) share one section and its code tables.
_SMALL_ENTRIES = 4096
# Tensors share a section, and what its models have learnt, until they have this many entries.
_SHARED_ENTRIES = 2**20
# What a mixed section may ask of readers with the default limits; some is left for others.
_FREE_SYMBOLS, _SYMBOLS_PER_BYTE = 2**19, 60

Planned = tuple[str, list[int], bytes]


def write_fast(layouts: Sequence[Layout], progress: Progress = silent) -> list[Planned]:
    """Return sections (form, tensor numbers, bytes) that are read fast: streams with tables."""
    small = [
        n
        for n, layout in enumerate(layouts)
        if layout.kind == "dense" and layout.size <= _SMALL_ENTRIES
    ]
    others = [(layout.kind, [n]) for n, layout in enumerate(layouts) if n not in set(small)]
    planned = [("dense", small), *others] if small else others
    sizes = [_entries(layouts, numbers) for _, numbers in planned]
    told_of = told(planned, sizes, progress)
    return [_section(layouts, form, numbers) for form, numbers in told_of]


def write_small(layouts: Sequence[Layout], progress: Progress = silent) -> list[Planned]:
    """Return sections of the fewest bytes: mixed, or with tables where that is smaller.

    Where a mixed section would unpack to more than readers take for its length, it has tables.
    """
    sections: list[Planned] = []
    groups = _groups(layouts)
    sizes = [_entries(layouts, numbers) for numbers in groups]
    for numbers in told(groups, sizes, progress):
        held = [layouts[n] for n in numbers]
        plain = [
            (kind, [numbers[n] for n in found], data) for kind, found, data in write_fast(held)
        ]
        if all(map(fits, held)):
            mixed, symbols = write_mixed(held)
            if symbols < _FREE_SYMBOLS + _SYMBOLS_PER_BYTE * len(mixed):
                plain = min([("mixed", numbers, mixed)], plain, key=_cost_bytes)
        sections += plain
    return sections


def _groups(layouts: Sequence[Layout]) -> list[list[int]]:
    groups: list[list[int]] = []
    entries = 0
    for number, layout in enumerate(layouts):
        if not groups or entries >= _SHARED_ENTRIES or not fits(layout):
            groups.append([])
            entries = 0
        groups[-1].append(number)
        entries += layout.size if fits(layout) else _SHARED_ENTRIES
    return groups


def _entries(layouts: Sequence[Layout], numbers: list[int]) -> int:
    return sum(layouts[n].size for n in numbers)


def _section(layouts: Sequence[Any], form: str, numbers: list[int]) -> Planned:
    return form, numbers, FORMS[form].write([layouts[n] for n in numbers])


def _cost_bytes(sections: list[Planned]) -> int:
    """Bytes of sections and about what they take in the frame and the header."""
    return sum(len(data) + 12 for _, _, data in sections)


PROFILES: dict[str, Callable[[Sequence[Layout], Progress], list[Planned]]] = {
    "fast": write_fast,
    "small": write_small,
}


SMALL_UP_TO = 2**21
"""Entries of all weights up to which a file is made small unless asked: that reads in a second."""


def usual_profile(layouts: Sequence[Layout]) -> str:
    """Return the profile that weights are written with where none is asked for."""
    return "small" if sum(layout.size for layout in layouts) <= SMALL_UP_TO else "fast"
