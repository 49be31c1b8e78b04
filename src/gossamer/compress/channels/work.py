"""Channels and MACs that a removal takes away, before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from gossamer.compress.channels.units import Structure


@dataclass(frozen=True)
class Work:
    """Output channels of convolutions, and MACs of all layers for one image."""

    channels: int
    macs: int

    def removed(self, after: Work, measure: str) -> float:
        """Return the share of "channels" or "macs" that is gone, 0…1."""
        before = getattr(self, measure)
        return 1 - getattr(after, measure) / before if before else 0.0


def work(structure: Structure, removed: np.ndarray) -> Work:
    """Return what is left.

    Args:
        structure: which units there are.
        removed: for each unit whether it goes.
    """
    channels = macs = 0
    seen: set[str] = set()
    for layer in structure.flow.layers:
        if not layer.positions:
            continue
        shape = structure.flow.shapes[layer.weight]
        sizes = [_left(structure, layer.weight, axis, removed) for axis in range(len(shape))]
        macs += prod(sizes) * layer.positions
        if layer.convolution and layer.weight not in seen:
            channels += _kept(structure.units(layer.rows), removed)
        seen.add(layer.weight)
    return Work(channels, macs)


def kept_axes(structure: Structure, removed: np.ndarray) -> Mapping[tuple[str, int], np.ndarray]:
    """Return for each axis that loses something the places that stay, in order."""
    kept = {key: np.flatnonzero(_stays(units, removed)) for key, units in structure.unit_of.items()}
    return {
        key: places for key, places in kept.items() if len(places) < len(structure.unit_of[key])
    }


def _left(structure: Structure, name: str, axis: int, removed: np.ndarray) -> int:
    units = structure.unit_of.get((name, axis))
    return structure.flow.shapes[name][axis] if units is None else _kept(units, removed)


def _kept(units: np.ndarray, removed: np.ndarray) -> int:
    return int(_stays(units, removed).sum())


def _stays(units: np.ndarray, removed: np.ndarray) -> np.ndarray:
    return ~np.append(removed, False)[units]  # unit −1 is the appended one
